"""The worker processes and what they count."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now


class TaskWorker(models.Model):
    """One worker process; its id is procrastinate's worker id, which is never used again."""

    id = models.BigIntegerField(primary_key=True)
    host = models.TextField()
    pid = models.IntegerField()
    supervisor_pid = models.IntegerField(null=True)
    queue_name = models.CharField(max_length=128)
    status = models.CharField(max_length=16)
    slots = models.IntegerField(default=1)
    started_at = models.DateTimeField(db_default=Now())
    heartbeat_at = models.DateTimeField(db_default=Now())
    stopped_at = models.DateTimeField(null=True)
    children = models.JSONField(default=list, help_text="[{pid, memory_bytes, jobs}] at the last heartbeat")
    memory_bytes = models.BigIntegerField(null=True)

    class Meta:
        indexes = [models.Index(fields=["status", "heartbeat_at"], name="yt_worker_heartbeat")]

    def __str__(self) -> str:
        return f"worker {self.pk} ({self.queue_name}@{self.host}:{self.pid})"


class QueueCounter(models.Model):
    """A number that only rises, kept in the database so that no restart resets it (rescues, rejected stale writes)."""

    name = models.CharField(max_length=64)
    label = models.CharField(max_length=128, default="")
    value = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["name", "label"], name="yt_counter_once")]

    def __str__(self) -> str:
        return f"{self.name}{{{self.label}}} = {self.value}"
