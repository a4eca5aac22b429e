"""What is in the queue: jobs that wait, their arguments in clear, and what a test says of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from youtility_tasks import queries, registry
from youtility_tasks.declaration import Task
from youtility_tasks.errors import UnknownTask
from youtility_tasks.models import Job
from youtility_tasks.secrets import marks, sealing
from youtility_tasks.status import JobStatus
from youtility_tasks.workflows import resolve

_MOST_SHOWN = 10


def enqueued_jobs(task: Task | str | None = None, tenant: int | None = None) -> list[Job]:
    """The waiting jobs in the order of their ids, due or not: of one task (itself or its name), of one tenant, or all.

    Raises UnknownTask for a name that neither a task nor a job has.
    """
    found = Job.objects.filter(status=JobStatus.TODO).for_tenant(tenant).order_by("pk")
    return list(found if task is None else found.filter(task_name__in=_names(task)))


enqueued = enqueued_jobs


def assert_enqueued(task: Task | str, /, **subset: Any) -> Job:
    """The first waiting job of that task whose arguments include these, in clear. If there is none, the error says what waits."""
    for job in enqueued_jobs(task):
        if _includes(job, subset):
            return job
    raise AssertionError(f"No waiting job of {_name(task)!r}{_with(subset)}. {_what_waits(task, subset)}")


def assert_not_enqueued(task: Task | str | None = None, /, **subset: Any) -> None:
    """No job of that task whose arguments include these waits; without a task: none at all."""
    found = [job for job in enqueued_jobs(task) if _includes(job, subset)]
    if found:
        what = "jobs wait" if task is None else f"of {_name(task)!r}{_with(subset)} wait"
        raise AssertionError(f"{len(found)} {what}, and none should: {_shown(found)}.")


def arguments(job: Job) -> dict[str, Any]:
    """A job's arguments in clear, those marked `Secret` or `Pii` too; its row has them sealed."""
    declared = registry.resolve(job.task_name)
    marked, verbatim = (declared.marks, declared.verbatim) if declared else (marks.NONE, False)
    stored = sealing.unseal(sealing.Place(job.tenant_id, job.task_name, marked, verbatim), job.args).stored
    return resolve.without_place(stored)


def empty_queue() -> int:
    """Delete all jobs, waiting or not, and the history; how many jobs there were.

    For a TransactionTestCase: Django's flush knows only tables that it manages, so jobs of one test would be there in the next.
    """
    return int(queries.fetch("empty_queue", {})[0][0])


def _names(task: Task | str) -> set[str]:
    declared = registry.resolve(task) if isinstance(task, str) else task
    if declared is not None:
        return {declared.name, *declared.aliases}
    if not Job.objects.filter(task_name=task).exists():
        raise UnknownTask(task, registry.registered())
    return {str(task)}


def _name(task: Task | str) -> str:
    return task if isinstance(task, str) else task.name


def _includes(job: Job, subset: dict[str, Any]) -> bool:
    has = arguments(job)
    return all(name in has and has[name] == value for name, value in subset.items())


def _with(subset: dict[str, Any]) -> str:
    return f" with {', '.join(f'{name}={value!r}' for name, value in subset.items())}" if subset else ""


def _what_waits(task: Task | str, subset: dict[str, Any]) -> str:
    of_task = enqueued_jobs(task)
    others = Counter(Job.objects.filter(status=JobStatus.TODO).values_list("task_name", flat=True))
    for job in of_task:
        others.pop(job.task_name, None)
    besides = ", ".join(f"{name} x {count}" for name, count in sorted(others.items()))
    if of_task:
        told = f"Waiting of it: {_shown(of_task)}."
        unknown = sorted(set(subset) - set().union(*(arguments(job) for job in of_task)))
        told += f" None has an argument {', '.join(map(repr, unknown))}." if unknown else ""
    else:
        told = "Nothing waits." if not besides else "Of it nothing waits."
    return told + (f" Of other tasks: {besides}." if besides else "")


def _shown(jobs: Iterable[Job]) -> str:
    listed = list(jobs)
    shown = [
        f"job {job.pk} (tenant {job.tenant_id}) {resolve.without_place(sealing.redact(job.args))!r}"
        for job in listed[:_MOST_SHOWN]
    ]
    more = f", and {len(listed) - _MOST_SHOWN} more" if len(listed) > _MOST_SHOWN else ""
    return ", ".join(shown) + more
