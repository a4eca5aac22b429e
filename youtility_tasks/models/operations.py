"""Acts on all jobs that a filter means, and what each batch of them found."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now


class OperationQuerySet(models.QuerySet["TaskOperation"]):
    """Named questions about operations; each narrows what it is asked of."""

    def for_tenant(self, tenant_id: int | None) -> OperationQuerySet:
        """The operations of this tenant alone; None is an operator, who sees all."""
        return self if tenant_id is None else self.filter(tenant_id=tenant_id)

    def unfinished(self) -> OperationQuerySet:
        """Those that have not come to their end, and that nobody has stopped."""
        return self.filter(ended_at=None)


class TaskOperation(models.Model):
    """What somebody wanted done to which jobs, and how far that has come.

    Jobs are taken in the order of their ids. `after_id`, the counts and what a batch does to its jobs are written by one
    transaction, so whoever goes on with it begins behind the last batch that is there.
    """

    id = models.BigAutoField(primary_key=True)
    tenant_id = models.IntegerField(null=True, blank=True, help_text="none: of all tenants")
    act = models.CharField(max_length=16, help_text="retry, cancel, abort, discard, priority, run now, undo")
    filter = models.JSONField(default=dict, blank=True, help_text="which jobs; empty: all that the act is for")
    priority = models.SmallIntegerField(null=True, blank=True, help_text="1 (most urgent) to 10: what they are given")
    rate_per_s = models.FloatField(null=True, blank=True, help_text="jobs that come due each second; none: all at once")
    # The reference itself, with the tenant, is in the migration's SQL.
    undoes = models.ForeignKey(
        "self", on_delete=models.CASCADE, null=True, blank=True, related_name="undone_by", db_constraint=False
    )
    reason = models.TextField(default="", blank=True)
    started_by = models.CharField(max_length=200)
    started_at = models.DateTimeField(db_default=Now(), help_text="what failed later is none of its jobs")
    newest_id = models.BigIntegerField(help_text="jobs with larger ids are none of it")
    total_count = models.PositiveIntegerField(
        null=True, help_text="jobs that there were to begin with; none: not counted"
    )
    done_count = models.PositiveIntegerField(default=0)
    refused_count = models.PositiveIntegerField(default=0)
    refused = models.JSONField(default=list, blank=True, help_text="the first of these, and why")
    after_id = models.BigIntegerField(default=0, help_text="jobs up to this id are dealt with; of an undo: batches")
    next_at = models.DateTimeField(null=True, blank=True, help_text="when the next one comes due")
    ended_at = models.DateTimeField(null=True, blank=True)
    is_stopped = models.BooleanField(default=False, help_text="ended by somebody before its time")

    objects = OperationQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["id"], name="yt_operation_unfinished", condition=Q(ended_at=None))]
        constraints = [
            # One that was stopped on its way may be undone once more from where it stands.
            models.UniqueConstraint(
                name="yt_operation_one_undo",
                fields=["tenant_id", "undoes"],
                condition=Q(undoes__isnull=False, is_stopped=False),
                nulls_distinct=False,
            ),
            models.CheckConstraint(name="yt_operation_undoes", condition=Q(act="undo", undoes__isnull=False) | (~Q(act="undo") & Q(undoes=None))),
            models.CheckConstraint(name="yt_operation_rate", condition=Q(rate_per_s=None) | Q(rate_per_s__gt=0)),
            models.CheckConstraint(
                name="yt_operation_priority",
                condition=Q(act="priority", priority__gte=1, priority__lte=10) | (~Q(act="priority") & Q(priority=None)),
            ),
            models.CheckConstraint(
                name="yt_operation_stopped_is_ended", condition=Q(is_stopped=False) | Q(ended_at__isnull=False)
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"operation {self.pk}"


class OperationBatch(models.Model):
    """Some jobs of one operation: which they were and, for an undo, how they stood. Written by the transaction that acts on them."""

    id = models.BigAutoField(primary_key=True)
    operation = models.ForeignKey(TaskOperation, on_delete=models.CASCADE, related_name="batches")
    tenant_id = models.IntegerField(null=True, blank=True, help_text="its operation's")
    job_ids = models.JSONField(help_text="those that it found as they should be")
    was = models.JSONField(null=True, help_text="their rows without arguments; nobody reads it but the undo")
    made_at = models.DateTimeField(db_default=Now())
    undone_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["id"]
        indexes = [
            models.Index(fields=["operation"], name="yt_batch_undoable", condition=Q(was__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"batch {self.pk} of operation {self.operation_id}"
