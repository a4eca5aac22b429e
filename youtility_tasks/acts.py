"""What people do to a job: cancel it, retry it, discard it.

Each act is one statement that tests the status itself, so it is safe beside running workers: a job that has moved on
in the meantime is refused and left alone. Inside `with tenant(id):` only that tenant's jobs exist; outside, all do.
A person needs a role for it (`membership.NEEDS`): NotAllowed otherwise, before anything is looked at.
"""

from __future__ import annotations

import functools
import itertools
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, TypeVar

from django.db import IntegrityError, transaction

from . import audit, history, membership, queries
from .conf import settings
from .errors import JobNotFound, Refused
from .models import Job
from .status import JobStatus
from .tenants import current_tenant

T = TypeVar("T")
R = TypeVar("R")
Participle = Literal["cancelled", "retried", "discarded"]
_FROM: dict[Participle, set[JobStatus]] = {
    "cancelled": {JobStatus.TODO, JobStatus.DOING},
    "retried": {JobStatus.FAILED},
    "discarded": {JobStatus.FAILED},
}
_ACT: dict[Participle, str] = {"cancelled": "cancel", "retried": "retry", "discarded": "discard"}
_BATCH = 500
_MOST_LINES = 20
_LARGEST_ID = 2**63 - 1

logger = logging.getLogger(__name__)


class Becomes(StrEnum):
    """What an act makes of a job."""

    CANCELLED = "cancelled"
    """It left the queue; its history says so, with the reason."""
    ABORTING = "aborting"
    """It still runs; its worker was told to end it."""
    TODO = "todo"
    """It waits again, with a fresh set of attempts."""


@dataclass(frozen=True, slots=True)
class Acted:
    """One job that an act has changed."""

    job_id: int
    task_name: str
    queue_name: str
    tenant_id: int
    becomes: Becomes


@dataclass(frozen=True, slots=True)
class Acts:
    """What an act on many jobs has done, and why it left some of them alone."""

    done: list[Acted] = field(default_factory=list)
    refused: dict[int, Refused] = field(default_factory=dict)


def cancel(job_id: int, reason: str = "") -> Acted:
    """Take a waiting job off its queue, or ask the worker of a running one to end it (twice is as good as once).

    Raises Refused when the job has ended (a dead letter is discarded, not cancelled), JobNotFound when there is none.
    """
    return _only(cancel_many([job_id], reason))


def retry(job_id: int, reason: str = "") -> Acted:
    """Give a dead letter a fresh set of attempts, beginning now.

    Raises Refused when the job is no dead letter, or when another job already stands for its unique key; JobNotFound.
    """
    return _only(retry_many([job_id], reason))


def discard(job_id: int, reason: str = "") -> Acted:
    """Take a dead letter out of the queue for good; its arguments and attempts stay in the history as long as any.

    Raises Refused when the job is no dead letter, JobNotFound when there is none.
    """
    return _only(discard_many([job_id], reason))


def cancel_many(job_ids: Iterable[int], reason: str = "") -> Acts:
    """`cancel` for many jobs, in batches of one transaction each unless the caller has opened one."""

    def one_batch(ids: Sequence[int], acts: Acts) -> None:
        left = set(ids)
        for _ in range(2):  # a job that is claimed, or goes back, between two statements is met by the next one
            for name, becomes in (("cancel_jobs", Becomes.CANCELLED), ("abort_jobs", Becomes.ABORTING)):
                changed = _change("cancel", name, left, becomes, from_status=JobStatus.TODO, reason=reason)
                acts.done.extend(changed)
                left -= {each.job_id for each in changed}

    return _in_batches(job_ids, "cancelled", one_batch)


def retry_many(job_ids: Iterable[int], reason: str = "") -> Acts:
    """`retry` for many jobs, in batches of one transaction each unless the caller has opened one."""
    return _in_batches(job_ids, "retried", functools.partial(_retry_batch, reason=reason))


def discard_many(job_ids: Iterable[int], reason: str = "") -> Acts:
    """`discard` for many jobs, in batches of one transaction each unless the caller has opened one."""

    def one_batch(ids: Sequence[int], acts: Acts) -> None:
        changed = _change("discard", "cancel_jobs", ids, Becomes.CANCELLED, from_status=JobStatus.FAILED, reason=reason)
        acts.done.extend(changed)

    return _in_batches(job_ids, "discarded", one_batch)


def could_be(participle: Participle, job_ids: Iterable[int]) -> tuple[list[int], dict[int, Refused]]:
    """Of these jobs of the current tenant (of all, without one): those that could be retried, say, now; why not the others.

    Changes nothing and promises nothing: a job may move on at any moment. Whether a unique key is free shows only the act.
    """
    wanted = list(dict.fromkeys(job_ids))
    found = Job.objects.filter(pk__in=wanted, status__in=_FROM[participle]).for_tenant(current_tenant())
    could = set(found.values_list("pk", flat=True))
    refused = {job_id: _refusal(job_id, participle) for job_id in wanted if job_id not in could}
    return [job_id for job_id in wanted if job_id in could], refused


def choose(
    status: JobStatus, *, queue_name: str | None = None, task_name: str | None = None, limit: int | None = None
) -> list[int]:
    """The ids of the current tenant's jobs (of all, without one) with that status, oldest first: what to act on."""
    found = Job.objects.filter(status=status).for_tenant(current_tenant()).of_queue(queue_name).of_task(task_name)
    return list(found.order_by("pk").values_list("pk", flat=True)[:limit])


def together_or_each(
    wanted: Sequence[T], do: Callable[[Sequence[T]], R], note: Callable[[R], None], refuse: Callable[[T], None]
) -> None:
    """`do` all of these in one transaction, or each in one of its own when somebody has a lock or a key that one of them wants, so that
    the others get through. What `do` returns is noted after its transaction; `refuse` is called with those that do not get through."""
    try:
        with transaction.atomic(using=settings().database):
            done = do(wanted)
    except IntegrityError:
        if len(wanted) == 1:
            refuse(wanted[0])
            return
        for each in wanted:
            together_or_each([each], do, note, refuse)
    else:
        note(done)


def _retry_batch(ids: Sequence[int], acts: Acts, *, reason: str) -> None:
    def retry(job_ids: Sequence[int]) -> list[Acted]:
        changed = _change("retry", "retry_dead_letters", job_ids, Becomes.TODO, reason=reason)
        tell_queues(changed)
        return changed

    def refuse(job_id: int) -> None:
        acts.refused[job_id] = Refused(
            f"Job {job_id} cannot be retried: another job with its unique key waits or runs already. "
            "Retry it when that one has ended, or discard it."
        )

    together_or_each(ids, retry, acts.done.extend, refuse)


def tell_queues(waiting: Iterable[Acted]) -> None:
    """Wake the workers of these jobs' queues, as the transaction commits."""
    for queue_name in sorted({each.queue_name for each in waiting}):
        queries.fetch("notify_queue", {"queue_name": queue_name})


def _change(
    act: str, name: str, ids: Iterable[int], becomes: Becomes, *, reason: str = "", **parameters: Any
) -> list[Acted]:
    """Run one statement on these jobs and enter what it did, a row a tenant, in one transaction."""
    said = audit.storable(reason)
    with transaction.atomic(using=settings().database):
        rows = queries.fetch(
            name, {"job_ids": sorted(ids), "tenant_id": current_tenant(), "reason": said, **parameters}
        )
        changed = [
            Acted(job_id, task_name, queue_name, tenant_id, becomes)
            for job_id, task_name, queue_name, tenant_id in sorted(rows)
        ]
        for tenant_id in sorted({each.tenant_id for each in changed}):
            its = [each for each in changed if each.tenant_id == tenant_id]
            one = f"job {its[0].job_id} ({its[0].task_name})"
            target = one if len(its) == 1 else f"{one} and {len(its) - 1} more"
            after = {"status": becomes, "jobs": [each.job_id for each in its]}
            audit.write(act, target, tenant_id=tenant_id, reason=said, after=after)
    return changed


def _in_batches(
    job_ids: Iterable[int], participle: Participle, one_batch: Callable[[Sequence[int], Acts], None]
) -> Acts:
    membership.allow(_ACT[participle], current_tenant())
    acts = Acts()
    as_given = {given: _as_id(given) for given in job_ids}
    acts.refused.update({given: JobNotFound(given) for given, job_id in as_given.items() if job_id is None})
    wanted = iter(dict.fromkeys(job_id for job_id in as_given.values() if job_id is not None))
    while ids := list(itertools.islice(wanted, _BATCH)):
        one_batch(ids, acts)
        answered = acts.refused.keys() | {each.job_id for each in acts.done}
        for job_id in ids:
            if job_id not in answered:
                acts.refused[job_id] = _refusal(job_id, participle)
    _log(participle, acts.done)
    return acts


def _log(participle: Participle, done: Sequence[Acted]) -> None:
    """A line a job; of a crowd a line a task and tenant."""
    if len(done) <= _MOST_LINES:
        for each in done:
            logger.info(
                "job %s by hand id=%s task=%s tenant=%s", participle, each.job_id, each.task_name, each.tenant_id
            )
        return
    for (task_name, tenant_id), n in Counter((each.task_name, each.tenant_id) for each in done).items():
        logger.info("jobs %s by hand count=%s task=%s tenant=%s", participle, n, task_name, tenant_id)


def _as_id(given: object) -> int | None:
    """A job's id, from a number or from the text of a result's `id`; None for what can be none."""
    text = str(given) if isinstance(given, int | str) and not isinstance(given, bool) else ""
    job_id = int(text) if text.isdecimal() and len(text) <= len(str(_LARGEST_ID)) else 0
    return job_id if 0 < job_id <= _LARGEST_ID else None


def _only(acts: Acts) -> Acted:
    for refused in acts.refused.values():
        raise refused
    return acts.done[0]


_STANDS = {
    JobStatus.TODO: "it waits in its queue. `cancel` takes it off.",
    JobStatus.DOING: "it runs now. `cancel` asks it to end.",
    JobStatus.FAILED: "it has failed for good (a dead letter). `retry` gives it new attempts, `discard` removes it.",
    JobStatus.SUCCEEDED: "it has succeeded. Nothing is left to be done with it; enqueue its task again to repeat it.",
    JobStatus.CANCELLED: "it was cancelled. Enqueue its task again if it is wanted after all.",
    JobStatus.ABORTED: "it was aborted. Enqueue its task again if it is wanted after all.",
}


def _refusal(job_id: int, participle: Participle) -> Refused:
    known = history.story(job_id, tenant_id=current_tenant())
    if known is None:
        return JobNotFound(job_id)
    if participle == "retried" and known.status is JobStatus.FAILED and known.job is not None:
        return Refused(
            f"Job {job_id} ({known.task_name}) cannot be retried: tenant {known.job.tenant_id} is not active. "
            f"`tenants add {known.job.tenant_id} NAME` brings it back."
        )
    return Refused(f"Job {job_id} ({known.task_name}) cannot be {participle}: {_STANDS[known.status]}")
