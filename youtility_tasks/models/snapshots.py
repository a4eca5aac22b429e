"""How the queues stood a moment ago, for pages beside a crowd."""

from __future__ import annotations

from django.db import models


class QueueSnapshot(models.Model):
    """One tenant's jobs in one queue, as they were counted last."""

    tenant_id = models.IntegerField(help_text="0: a sweep's")
    queue_name = models.CharField(max_length=128)
    todo = models.BigIntegerField(help_text="due")
    doing = models.BigIntegerField()
    scheduled = models.BigIntegerField()
    failed = models.BigIntegerField()
    oldest_at = models.DateTimeField(null=True, help_text="since when the oldest due job has been due")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant_id", "queue_name"], name="yt_snapshot_once")]

    def __str__(self) -> str:
        return f"{self.queue_name} of {self.tenant_id}: {self.todo} wait"


class SnapshotMark(models.Model):
    """When the queues were counted, and how long that took."""

    id = models.SmallIntegerField(primary_key=True)
    taken_at = models.DateTimeField()
    took_ms = models.FloatField()

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="yt_snapshot_is_one")]

    def __str__(self) -> str:
        return f"{self.taken_at}: {self.took_ms:.0f} ms"
