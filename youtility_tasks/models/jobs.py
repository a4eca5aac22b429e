"""procrastinate's job table with the columns that our migrations add to it."""

from __future__ import annotations

from datetime import datetime

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from youtility_tasks.status import LIVE, JobStatus

NO_FINGERPRINT = "none"
"""What is shown, and asked for, where the column is empty."""

TENANTS_OWN = ("args", "progress_note")
"""Columns that say what a tenant's work is about; an operator may not read them (tenancy/house.py)."""


_BEGUN = Q(status=JobStatus.DOING) | Q(status=JobStatus.TODO, claim_number__gt=0)


class JobQuerySet(models.QuerySet["Job"]):
    """Named questions about jobs in the queue; each narrows what it is asked of, and None leaves it as wide."""

    def live(self) -> JobQuerySet:
        """The jobs that wait or run: without dead letters, and without what procrastinate's own worker has ended."""
        return self.filter(status__in=LIVE)

    def dead_letters(self) -> JobQuerySet:
        """The jobs that failed for good; they keep their arguments until somebody retries or discards them."""
        return self.filter(status=JobStatus.FAILED)

    def for_tenant(self, tenant_id: int | None) -> JobQuerySet:
        """The jobs that this tenant may see; None is an operator, who sees all."""
        return self if tenant_id is None else self.filter(tenant_id=tenant_id)

    def of_queue(self, queue_name: str | None) -> JobQuerySet:
        """The jobs of one queue; None means any."""
        return self if queue_name is None else self.filter(queue_name=queue_name)

    def of_task(self, task_name: str | None) -> JobQuerySet:
        """The jobs of one task; None means any."""
        return self if task_name is None else self.filter(task_name=task_name)

    def of_worker(self, worker_id: int | None) -> JobQuerySet:
        """The jobs that a worker holds; None means any."""
        return self if worker_id is None else self.filter(worker_id=worker_id)

    def of_fingerprint(self, fingerprint: str | None) -> JobQuerySet:
        """The dead letters of one error; None means any, NO_FINGERPRINT those of which nobody has said an error."""
        if fingerprint is None:
            return self
        return self.filter(status=JobStatus.FAILED, fingerprint="" if fingerprint == NO_FINGERPRINT else fingerprint)

    def failed_between(self, since: datetime | None, until: datetime | None) -> JobQuerySet:
        """What failed for good from then on, and up to then; None is open. Of what a stock worker gave up no time is known."""
        found = self if since is None else self.filter(failed_at__gte=since)
        return found if until is None else found.filter(Q(failed_at__lte=until) | Q(failed_at=None))

    def touched_since(self, instant: datetime | None) -> JobQuerySet:
        """The jobs that were enqueued, claimed or failed since then; None means any."""
        if instant is None:
            return self
        return self.filter(Q(enqueued_at__gte=instant) | Q(claimed_at__gte=instant) | Q(failed_at__gte=instant))

    def enqueued_before(self, instant: datetime | None) -> JobQuerySet:
        """The jobs that were enqueued before then; None means any."""
        return self if instant is None else self.filter(enqueued_at__lt=instant)

    def with_an_ended_attempt(self) -> JobQuerySet:
        """The jobs of which an attempt may have ended: dead letters, and what has begun."""
        return self.filter(Q(status=JobStatus.FAILED) | _BEGUN)

    def begun(self) -> JobQuerySet:
        """The jobs that run, and those that wait for another attempt."""
        return self.filter(_BEGUN)

    def begun_or_failed_since(self, instant: datetime) -> JobQuerySet:
        """The jobs that have begun, and the dead letters since then."""
        return self.filter(Q(status=JobStatus.FAILED, failed_at__gte=instant) | _BEGUN)

    def few(self) -> JobQuerySet:
        """By falling id, where few are expected. Row level security keeps statistics of a status from the planner: it takes few for many, and
        walks all jobs by id to find them. An order that no index has keeps it from that."""
        return self.order_by((F("pk") + 0).desc())

    def due_later(self) -> JobQuerySet:
        """The jobs that are not due yet, by the database's clock."""
        return self.filter(scheduled_at__gt=Now())

    def held_by(self, worker_id: int) -> JobQuerySet:
        """The jobs that this worker runs, the one claimed first before all; without their contents, which operators may not read."""
        found = self.filter(status="doing", worker_id=worker_id).order_by("claimed_at", "pk")
        return found.only("task_name", "tenant_id", "claimed_at")

    def before(self, job_id: int | None) -> JobQuerySet:
        """The jobs with a smaller id; None means any."""
        return self if job_id is None else self.filter(pk__lt=job_id)


class Job(models.Model):
    """One live job or dead letter; what has ended well is in TaskExecutionHistory."""

    id = models.BigAutoField(primary_key=True)
    queue_name = models.CharField(max_length=128)
    task_name = models.CharField(max_length=128)
    priority = models.IntegerField(default=0, help_text="procrastinate's: 11 minus ours, larger goes first")
    lock = models.TextField(null=True, blank=True)  # noqa: DJ001 - procrastinate's column is nullable
    queueing_lock = models.TextField(null=True, blank=True)  # noqa: DJ001
    args = models.JSONField(default=dict)
    status = models.CharField(max_length=32, default=JobStatus.TODO.value)
    scheduled_at = models.DateTimeField(null=True, blank=True)
    attempts = models.IntegerField(default=0, help_text="finished attempts")
    abort_requested = models.BooleanField(default=False)
    worker_id = models.BigIntegerField(null=True, blank=True)
    tenant_id = models.IntegerField(default=0)
    enqueued_at = models.DateTimeField()
    claim_number = models.BigIntegerField(default=0)
    claimed_at = models.DateTimeField(null=True)
    crash_count = models.SmallIntegerField(default=0)
    rescue_count = models.SmallIntegerField(default=0)
    noted = models.BooleanField(default=True, help_text="procrastinate's events and notifications are written for it")
    unique_key = models.TextField(null=True, blank=True)  # noqa: DJ001
    done_key = models.TextField(null=True, blank=True)  # noqa: DJ001
    failed_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True, help_text="not begun by then, it is not run; null once it has begun")
    parked_by = models.IntegerField(default=0, help_text="the QueueControl that kept it from running last; 0: none")
    progress = models.JSONField(null=True, help_text="how far an attempt said it was, and which; see notes.py")
    progress_note = models.TextField(null=True, blank=True)  # noqa: DJ001
    step_id = models.BigIntegerField(null=True, blank=True, help_text="the WorkflowStep whose job it is")
    fingerprint = models.TextField(
        default="", blank=True, help_text="of a dead letter's error: alike for failures that are alike"
    )
    attempts_before = models.IntegerField(default=0, help_text="attempts used up before somebody gave it new ones")

    objects = JobQuerySet.as_manager()

    class Meta:
        managed = False
        db_table = "procrastinate_jobs"

    def __str__(self) -> str:
        return f"{self.task_name}[{self.pk}]"
