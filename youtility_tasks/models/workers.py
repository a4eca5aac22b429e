"""The worker processes and what they count."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import models
from django.db.models import ExpressionWrapper, F
from django.db.models.functions import Now

from youtility_tasks.status import WorkerStatus


class WorkerQuerySet(models.QuerySet["TaskWorker"]):
    """Named questions about worker processes; silence is measured by the database's clock, in seconds."""

    def present(self) -> WorkerQuerySet:
        """The workers that have not taken their leave and were not given up."""
        return self.filter(status__in=[WorkerStatus.RUNNING, WorkerStatus.QUIET, WorkerStatus.DRAINING])

    def of_queue(self, queue_name: str | None) -> WorkerQuerySet:
        """The workers of one queue; None means any."""
        return self if queue_name is None else self.filter(queue_name=queue_name)

    def claiming(self, lease_s: float) -> WorkerQuerySet:
        """Those that were heard within the lease and take jobs: neither quiet nor on their way out."""
        return self.heard(lease_s).filter(status=WorkerStatus.RUNNING)

    def heard(self, lease_s: float) -> WorkerQuerySet:
        """The present ones that have reported within the lease."""
        return self.present().filter(heartbeat_at__gte=Now() - timedelta(seconds=lease_s))

    def silent(self, lease_s: float) -> WorkerQuerySet:
        """The present ones that have not."""
        return self.present().filter(heartbeat_at__lt=Now() - timedelta(seconds=lease_s))

    def with_silence(self) -> WorkerQuerySet:
        """Each with `silence`, the time since its last report, by the database's clock."""
        return self.annotate(silence=ExpressionWrapper(Now() - F("heartbeat_at"), output_field=models.DurationField()))


class TaskWorker(models.Model):
    """One worker process; its id is procrastinate's worker id, which is never used again."""

    id = models.BigIntegerField(primary_key=True)
    host = models.TextField()
    pid = models.IntegerField()
    supervisor_pid = models.IntegerField(null=True)
    token = models.CharField(
        max_length=32, db_default="", help_text="one life of one process; pids and hosts come back"
    )
    queue_name = models.CharField(max_length=128)
    status = models.CharField(max_length=16)
    slots = models.IntegerField(default=1)
    started_at = models.DateTimeField(db_default=Now())
    heartbeat_at = models.DateTimeField(db_default=Now())
    stopped_at = models.DateTimeField(null=True)
    children = models.JSONField(
        default=list, help_text="[{pid, memory_bytes, jobs, done, running}] at the last heartbeat"
    )
    memory_bytes = models.BigIntegerField(null=True)

    version = models.CharField(max_length=64, blank=True, default="", db_default="", help_text="of this package")
    python = models.CharField(max_length=64, blank=True, default="", db_default="")
    replaced = models.JSONField(
        null=True, blank=True, help_text="{counts: {why: n}, last: [{at, pid, why, how, jobs}]} of its children"
    )

    told = models.CharField(
        max_length=8, blank=True, default="", db_default="", help_text="quiet or drain; see orders.py"
    )
    told_at = models.DateTimeField(null=True, blank=True)
    told_by = models.CharField(max_length=200, blank=True, default="", db_default="")
    told_reason = models.TextField(blank=True, default="", db_default="")

    objects = WorkerQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["status", "heartbeat_at"], name="yt_worker_heartbeat")]
        constraints = [
            models.CheckConstraint(condition=models.Q(told__in=["", "quiet", "drain"]), name="yt_worker_told"),
        ]

    def __str__(self) -> str:
        return f"worker {self.pk} ({self.queue_name}@{self.host}:{self.pid})"


class HeartbeatQuerySet(models.QuerySet["WorkerHeartbeat"]):
    """Named questions about how workers did."""

    def of_worker(self, worker_id: int, *, since: datetime, until: datetime | None = None) -> HeartbeatQuerySet:
        """The samples of one worker in that time, oldest first."""
        found = self.filter(worker_id=worker_id, at__gte=since).order_by("at")
        return found if until is None else found.filter(at__lt=until)


class WorkerHeartbeat(models.Model):
    """How a worker did in the last minute. Workers are removed before and after it, so `worker_id` is no foreign key."""

    worker_id = models.BigIntegerField()
    at = models.DateTimeField(db_default=Now())
    memory_bytes = models.BigIntegerField(help_text="resident, of the worker itself, at most")
    children_bytes = models.BigIntegerField(help_text="of all its children together, at most")
    child_count = models.IntegerField()
    running_mean = models.FloatField(help_text="jobs that its children held, on average")
    running_most = models.IntegerField()
    cpu = models.FloatField(
        help_text="processors that it and its children kept busy, on average: 1.5 is one and a half"
    )

    objects = HeartbeatQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["worker_id", "at"], name="yt_heartbeat_worker"),
            models.Index(fields=["at"], name="yt_heartbeat_at"),
        ]

    def __str__(self) -> str:
        return f"worker {self.worker_id} at {self.at}"


class QueueCounter(models.Model):
    """A number that only rises, kept in the database so that no restart resets it (rescues, rejected stale writes)."""

    name = models.CharField(max_length=64)
    label = models.CharField(max_length=128, default="")
    value = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["name", "label"], name="yt_counter_once")]

    def __str__(self) -> str:
        return f"{self.name}{{{self.label}}} = {self.value}"
