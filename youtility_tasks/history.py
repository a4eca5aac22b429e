"""What is known of a job, live or ended, and of its attempts. Written by the statement that finishes a job, read here."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from . import foreign, payload, queries, registry, tasks_api, tracing
from .declaration import Task
from .models import Job, TaskExecutionHistory
from .models.history import TENANTS_OWN
from .models.jobs import TENANTS_OWN as JOBS_OWN
from .secrets import sealing
from .status import JobStatus
from .tenancy import roles
from .tenants import ALL, acting, current_tenant, no_tenant

_LONGEST_ID = 19
"""Digits of the largest bigint; Python itself refuses to read some thousands of them."""
_FACE = {
    JobStatus.TODO: tasks_api.TaskResultStatus.READY,
    JobStatus.DOING: tasks_api.TaskResultStatus.RUNNING,
    JobStatus.SUCCEEDED: tasks_api.TaskResultStatus.SUCCESSFUL,
    JobStatus.FAILED: tasks_api.TaskResultStatus.FAILED,
    JobStatus.CANCELLED: tasks_api.TaskResultStatus.FAILED,
    JobStatus.ABORTED: tasks_api.TaskResultStatus.FAILED,
}


@dataclass(frozen=True, slots=True)
class JobStory:
    """One job with all its ended attempts, oldest first; `job` is None once it has left the queue."""

    job_id: int
    job: Job | None
    attempts: Sequence[TaskExecutionHistory]

    @property
    def status(self) -> JobStatus:
        """Where the job stands: in its row while it has one (dead letters do), else how its last attempt left it."""
        return JobStatus(self.job.status if self.job else self.attempts[-1].status)

    @property
    def task_name(self) -> str:
        """The name that the job was enqueued under, which may be an alias by now."""
        return self.job.task_name if self.job else self.attempts[-1].task_name

    @property
    def tenant_id(self) -> int:
        """Whose job it is."""
        return self.job.tenant_id if self.job else self.attempts[-1].tenant_id

    @property
    def args(self) -> dict[str, Any]:
        """The arguments as stored (`unpack` makes a call of them), marked ones sealed; empty where no attempt has kept them."""
        return dict((self.job.args if self.job else self.attempts[-1].args) or {})


def story(job_id: int, *, tenant_id: int | None = None) -> JobStory | None:
    """All that is known of a job, for one tenant or (None) for an operator; None if there is no such job."""
    jobs, ended = Job.objects.for_tenant(tenant_id), TaskExecutionHistory.objects.of_job(job_id).for_tenant(tenant_id)
    if roles.acting_as() == "ops":  # who may read nothing of what is the tenant's own
        jobs, ended = jobs.defer(*JOBS_OWN), ended.defer(*TENANTS_OWN)
    # The live row first: a job that ends between the two queries is then found by the second.
    job = jobs.filter(pk=job_id).first()
    attempts = list(ended)
    if job is not None and attempts and attempts[-1].is_final and attempts[-1].claim_number >= job.claim_number:
        job = job if job.status == JobStatus.FAILED else None
    return JobStory(job_id, job, attempts) if job is not None or attempts else None


def trace_of(known: JobStory) -> str | None:
    """The id of a job's trace while the job has its row (dead letters do); without the setting `tracing` None, and nobody is asked."""
    if known.job is None or not tracing.is_on():
        return None
    found = queries.fetch("trace_of_job", {"job_id": known.job_id})
    return tracing.of_job(known.job_id, *found[0]) if found else None


def last_attempt(job_id: int, *, tenant_id: int | None = None) -> TaskExecutionHistory | None:
    """The attempt of a job that ended last, for one tenant or (None) for an operator."""
    ended = TaskExecutionHistory.objects.of_job(job_id).for_tenant(tenant_id)
    if roles.acting_as() == "ops":
        ended = ended.defer(*TENANTS_OWN)
    return ended.last()


def last_failure(task_names: Collection[str], *, tenant_id: int | None = None) -> TaskExecutionHistory | None:
    """The attempt of these tasks that failed last, whether another one followed or not; None if none is kept."""
    found = TaskExecutionHistory.objects.filter(task_name__in=task_names, status=JobStatus.FAILED).for_tenant(tenant_id)
    unread = TENANTS_OWN if roles.acting_as() == "ops" else ("args", "result", "output")
    return found.defer(*unread).order_by("-finished_at").first()


@dataclass(frozen=True, slots=True)
class Origin:
    """What made a job."""

    kind: str
    """ "workflow" or "schedule"."""
    id: str
    name: str
    step: str = ""
    """Of the workflow."""
    tick_at: datetime | None = None
    """Of the schedule."""


def origins(job_id: int) -> list[Origin]:
    """The workflow's step or the schedule's tick that made this job; empty: somebody enqueued it. One statement."""
    return [Origin(*row) for row in queries.fetch("origin_of_job", {"job_id": job_id})]


def latest_runs(task_name: str, *, tenant_id: int | None = None, limit: int = 40) -> list[TaskExecutionHistory]:
    """The attempts of a task that ended last, newest first, with their numbers alone: one statement, by index."""
    found = TaskExecutionHistory.objects.for_tenant(tenant_id).of_task(task_name).order_by("-finished_at")
    return list(found.only("job_id", "finished_at", "run_ms", "wait_ms", "outcome", "status")[:limit])


def result(result_id: str) -> tasks_api.TaskResult[Any]:
    """The `django.tasks` face of a job, live or ended, as the current tenant may see it.

    Raises TaskResultDoesNotExist, also for another tenant's job.
    """
    is_id = str(result_id).isdecimal() and len(str(result_id)) <= _LONGEST_ID
    known = story(int(result_id), tenant_id=current_tenant()) if is_id else None
    declared = registry.resolve(known.task_name) if known is not None else None
    if known is None and is_id and acting() is None:
        known, declared = _of_other_packages(int(result_id))
    if known is None or declared is None:
        raise tasks_api.TaskResultDoesNotExist(result_id)
    return _as_result(known, declared)


def _of_other_packages(job_id: int) -> tuple[JobStory | None, Task | None]:
    """Outside of any tenant a package that knows of none has enqueued for nobody, and reads what became of it; where the database
    keeps tenants apart nobody sees a row there. Our own tasks' jobs for all tenants stay unseen."""
    with no_tenant():
        known = story(job_id, tenant_id=ALL)
    declared = registry.resolve(known.task_name) if known is not None else None
    return (known, declared) if declared is not None and declared.stands_for is not None else (None, None)


def _as_result(known: JobStory, declared: Task) -> tasks_api.TaskResult[Any]:
    last = known.attempts[-1] if known.attempts else None
    job = known.job
    final = last if job is None else None
    workers = [attempt.worker_id for attempt in known.attempts]
    starts = [attempt.started_at for attempt in known.attempts if attempt.started_at]
    if job is not None and job.status == JobStatus.DOING and job.claimed_at is not None:
        starts.append(job.claimed_at)
        workers.append(job.worker_id)
    task = declared if declared.stands_for is None else foreign.as_called(declared.stands_for, known.args)
    args, kwargs = unpack(declared, sealing.redact(known.args, declared.marks, verbatim=declared.verbatim))
    made: tasks_api.TaskResult[Any] = tasks_api.TaskResult(
        task=task,
        id=str(known.job_id),
        status=_FACE[known.status],
        enqueued_at=job.enqueued_at if job else (last.enqueued_at if last else None),
        started_at=starts[0] if starts else None,
        last_attempted_at=starts[-1] if starts else None,
        finished_at=final.finished_at if final else (job.failed_at if job else None),
        args=args,
        kwargs=kwargs,
        backend=task.backend,
        errors=[
            tasks_api.TaskError(exception_class_path=attempt.error_class, traceback=attempt.traceback)
            for attempt in known.attempts
            if attempt.error_class
        ],
        worker_ids=[str(worker_id) for worker_id in workers if worker_id is not None],
    )
    if final is not None and final.status == JobStatus.SUCCEEDED:
        object.__setattr__(made, "_return_value", final.result)
    return made


def unpack(declared: Task, stored: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """The call's positional and keyword arguments from what a job row holds."""
    if declared.verbatim:
        return list(stored.get("args", [])), dict(stored.get("kwargs", {}))
    return [], {
        key: value for key, value in stored.items() if key != payload.PLACE
    } if payload.PLACE in stored else stored
