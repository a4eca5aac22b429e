"""The ledger of what must happen once (catalog.md 2.0)."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now


class TaskEffect(models.Model):
    """One effect, known by its key within its tenant."""

    PENDING, RESERVED, DONE = "pending", "reserved", "done"

    tenant_id = models.IntegerField(help_text="0: an effect of no tenant in particular")
    key = models.TextField()
    task_name = models.CharField(max_length=128, default="")
    bu_id = models.BigIntegerField(null=True)
    status = models.CharField(max_length=16)
    job_id = models.BigIntegerField(null=True, help_text="the job that wrote or reserved it")
    lease_until = models.DateTimeField(null=True)
    payload = models.JSONField(null=True)
    note = models.TextField(default="")
    created_at = models.DateTimeField(db_default=Now())
    done_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant_id", "key"], name="yt_effect_once"),
            models.CheckConstraint(
                name="yt_effect_status_word", condition=Q(status__in=["pending", "reserved", "done"])
            ),
            models.CheckConstraint(
                name="yt_effect_done_has_time",
                condition=Q(status="done", done_at__isnull=False) | (~Q(status="done") & Q(done_at__isnull=True)),
            ),
        ]
        indexes = [
            models.Index(fields=["tenant_id", "created_at"], name="yt_effect_open", condition=~Q(status="done")),
        ]

    def __str__(self) -> str:
        return f"{self.key} ({self.status})"
