"""Ids that come from Celery, and what of ours each of them means."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now


class BridgeCall(models.Model):
    """One call that Celery's side knows by an id of its own: `task_id=` was given, its message was adopted or moved, or a shadow was made."""

    tenant_id = models.IntegerField(help_text="0: of no tenant")
    celery_id = models.CharField(max_length=255, help_text="a UUID as text, unless the caller made it up")
    job_id = models.BigIntegerField(null=True, help_text="no reference: the job leaves the queue when it has ended")
    workflow_id = models.BigIntegerField(null=True, help_text="of a canvas: the run that it is a step of")
    step = models.CharField(max_length=200, default="", db_default="", blank=True)
    task_name = models.CharField(max_length=128)
    side = models.CharField(max_length=16, help_text="which side runs it: celery, shadow, postgres")
    at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant_id", "celery_id"], name="yt_bridge_call_once"),
            models.CheckConstraint(
                name="yt_bridge_call_side_word", condition=Q(side__in=["celery", "shadow", "postgres"])
            ),
        ]
        indexes = [
            models.Index(fields=["job_id"], name="yt_bridge_call_job", condition=Q(job_id__isnull=False)),
            models.Index(fields=["at"], name="yt_bridge_call_at"),
        ]

    def __str__(self) -> str:
        return f"{self.celery_id}: {self.job_id or f'{self.workflow_id}:{self.step}'} ({self.task_name})"
