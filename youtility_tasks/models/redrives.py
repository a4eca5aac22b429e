"""Redrives: dead letters chosen by a filter that are given new attempts, batch by batch."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now


class RedriveQuerySet(models.QuerySet["Redrive"]):
    """Named questions about redrives; each narrows what it is asked of."""

    def for_tenant(self, tenant_id: int | None) -> RedriveQuerySet:
        """The redrives of this tenant alone; None is an operator, who sees all."""
        return self if tenant_id is None else self.filter(tenant_id=tenant_id)

    def unfinished(self) -> RedriveQuerySet:
        """Those that have not come to their end, and that nobody has stopped."""
        return self.filter(ended_at=None)


class Redrive(models.Model):
    """Which dead letters somebody wanted to give new attempts, how, and how far that has come.

    Letters are taken in the order of their ids. `after_id`, the counts and the jobs of a batch are written by one transaction, so
    whoever goes on with it begins behind the last batch that is there.
    """

    id = models.BigAutoField(primary_key=True)
    tenant_id = models.IntegerField(null=True, blank=True, help_text="none: of all tenants")
    task_name = models.CharField(max_length=128, default="", blank=True, help_text="empty: any task")
    queue_name = models.CharField(max_length=128, default="", blank=True, help_text="empty: any queue")
    fingerprint = models.CharField(max_length=16, default="", blank=True, help_text="empty: any error")
    failed_since = models.DateTimeField(null=True, blank=True)
    failed_until = models.DateTimeField(help_text="not what failed later: it began then, if nothing else was asked for")
    rate_per_s = models.FloatField(null=True, blank=True, help_text="jobs that come due each second; none: all at once")
    edits = models.JSONField(default=dict, blank=True, help_text="arguments given anew, by name; marked ones sealed")
    edited = models.JSONField(default=list, blank=True, help_text="their names")
    key = models.CharField(max_length=64, help_text="digest of all of this as it was asked for")
    reason = models.TextField(default="", blank=True)
    started_by = models.CharField(max_length=200)
    started_at = models.DateTimeField(db_default=Now())
    total_count = models.PositiveIntegerField(help_text="letters that there were to begin with")
    done_count = models.PositiveIntegerField(default=0)
    refused_count = models.PositiveIntegerField(default=0)
    refused = models.JSONField(default=list, blank=True, help_text="the first of these, and why")
    after_id = models.BigIntegerField(default=0, help_text="letters up to this id are dealt with")
    next_at = models.DateTimeField(null=True, blank=True, help_text="when the next one comes due")
    ended_at = models.DateTimeField(null=True, blank=True)
    is_stopped = models.BooleanField(default=False, help_text="ended by somebody before its time")

    objects = RedriveQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                name="yt_redrive_unfinished_once",
                fields=["tenant_id", "key"],
                condition=Q(ended_at=None),
                nulls_distinct=False,
            ),
            models.CheckConstraint(name="yt_redrive_rate", condition=Q(rate_per_s=None) | Q(rate_per_s__gt=0)),
            models.CheckConstraint(
                # What is sealed is sealed for one tenant's task.
                name="yt_redrive_edits_of_one_task",
                condition=Q(edited=[]) | (~Q(task_name="") & Q(tenant_id__isnull=False)),
            ),
            models.CheckConstraint(
                name="yt_redrive_stopped_is_ended", condition=Q(is_stopped=False) | Q(ended_at__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"redrive {self.pk}"
