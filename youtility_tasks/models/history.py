"""Every attempt that ended."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from django.db import models

TENANTS_OWN = ("args", "result", "error_message", "traceback", "output")
"""Columns that say what a tenant's work is about; an operator may not read them (tenancy/house.py)."""


_CLOCKS_APART = timedelta(hours=1)
_SORTED_AS_WALKED = 3
"""An attempt that is read and sorted takes as long as so many that are walked past."""


class AttemptQuerySet(models.QuerySet["TaskExecutionHistory"]):
    """Named questions about attempts; each narrows what it is asked of, and None leaves it as wide."""

    def of_job(self, job_id: int) -> AttemptQuerySet:
        """The ended attempts of one job, oldest first; a crash or a rescue is one of them."""
        return self.filter(job_id=job_id).order_by("finished_at", "id")

    def for_tenant(self, tenant_id: int | None) -> AttemptQuerySet:
        """The attempts that this tenant may see; None is an operator, who sees all."""
        return self if tenant_id is None else self.filter(tenant_id=tenant_id)

    def of_queue(self, queue_name: str | None) -> AttemptQuerySet:
        """The attempts of one queue's jobs; None means any."""
        return self if queue_name is None else self.filter(queue_name=queue_name)

    def of_task(self, task_name: str | None) -> AttemptQuerySet:
        """The attempts of one task; None means any."""
        return self if task_name is None else self.filter(task_name=task_name)

    def ended_since(self, instant: datetime | None) -> AttemptQuerySet:
        """The attempts that ended since then; None means any."""
        return self if instant is None else self.filter(finished_at__gte=instant)

    def enqueued_before(self, instant: datetime | None) -> AttemptQuerySet:
        """The attempts of jobs that were enqueued before then; None means any."""
        return self if instant is None else self.filter(enqueued_at__lt=instant)

    def by_end(self, enqueued_before: datetime | None) -> list[AttemptQuerySet]:
        """The attempts of jobs that were enqueued before then, by falling job id: in two parts, as each has an index of its own.

        What had ended by then was enqueued before, and its days are walked by id. Of what ended since little was; by id all of those days
        would be walked to find it, so an order that no index has keeps the planner from that. The day in between goes to where it is read
        sooner. None means any, in one part.
        """
        if enqueued_before is None:
            return [self.order_by("-job_id")]
        then = self.enqueued_before(enqueued_before)
        day = enqueued_before.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        rest = min(day + timedelta(days=1), datetime.now(UTC)) - enqueued_before
        cut = day if enqueued_before - day < rest / _SORTED_AS_WALKED else enqueued_before
        ended, lasted = then.filter(finished_at__lt=cut), then.filter(finished_at__gte=cut)
        return [ended.order_by("-job_id"), lasted.few()]

    def few(self) -> AttemptQuerySet:
        """By falling job id, where few are expected: by an order that no index has, so that what makes them few is what they are found by."""
        return self.order_by((models.F("job_id") + 0).desc())

    def before(self, job_id: int | None) -> AttemptQuerySet:
        """The attempts of jobs with a smaller id; None means any."""
        return self if job_id is None else self.filter(job_id__lt=job_id)

    def last_of_jobs(self, job_ids: Iterable[int], *, since: datetime | None = None) -> AttemptQuerySet:
        """The latest attempt of each of these jobs; with the instant since when the first of them is there, no earlier day is looked at."""
        found = self if since is None else self.filter(finished_at__gte=since - _CLOCKS_APART)
        return found.filter(job_id__in=list(job_ids)).order_by("job_id", "-finished_at", "-id").distinct("job_id")


class TaskExecutionHistory(models.Model):
    """One go at running a job; outlives the job row, so `job_id` is not a foreign key.

    Written only by the statement that finishes the attempt. Partitioned by `finished_at`, so the table's real primary
    key is (finished_at, id); `id` alone is unique because one sequence numbers all partitions.
    """

    id = models.BigAutoField(primary_key=True)
    job_id = models.BigIntegerField()
    task_name = models.CharField(max_length=128)
    queue_name = models.CharField(max_length=128)
    tenant_id = models.IntegerField()
    priority = models.SmallIntegerField(help_text="1 (most urgent) to 10")
    attempt = models.IntegerField(help_text="from 1; a crash does not use one up")
    claim_number = models.BigIntegerField()
    worker_id = models.BigIntegerField(null=True)
    host = models.TextField(default="")
    pid = models.IntegerField(null=True)
    enqueued_at = models.DateTimeField()
    scheduled_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField()
    wait_ms = models.FloatField(null=True)
    run_ms = models.FloatField(null=True)
    cpu_ms = models.FloatField(null=True)
    peak_memory_kib = models.BigIntegerField(null=True)
    status = models.CharField(max_length=32)
    outcome = models.CharField(max_length=32)
    is_final = models.BooleanField()
    args = models.JSONField(null=True, help_text="kept with the last attempt")
    result = models.JSONField(null=True)
    error_class = models.TextField(default="")
    error_message = models.TextField(default="")
    traceback = models.TextField(default="")
    output = models.TextField(default="", help_text="the last 64 KiB that it printed and logged")

    objects = AttemptQuerySet.as_manager()

    class Meta:
        managed = False
        db_table = "youtility_tasks_history"
        verbose_name_plural = "task execution history"

    def __str__(self) -> str:
        return f"{self.task_name}[{self.job_id}] attempt {self.attempt}: {self.outcome}"
