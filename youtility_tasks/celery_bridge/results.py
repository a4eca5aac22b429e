"""`AsyncResult`: a job as call sites written for Celery look at it. Each look is a look into the database."""

from __future__ import annotations

import time
from typing import Any

from django.db import connections

from youtility_tasks import acts, history, running
from youtility_tasks.conf import settings
from youtility_tasks.errors import (
    JobFailed,
    JobNotFound,
    JobRevoked,
    NoResult,
    Refused,
    ResultTimeout,
    WaitRefused,
    WrongOption,
)
from youtility_tasks.history import JobStory
from youtility_tasks.status import CELERY_WORDS, JobStatus, Outcome
from youtility_tasks.tenants import current_tenant

from . import absent

_FIRST_LOOK_S = 0.02
_READY = frozenset({"SUCCESS", "FAILURE", "REVOKED"})
_LARGEST_ID = 2**63 - 1


class AsyncResult:
    """The job with this id, as the current tenant may see it.

    A job that nobody knows (it was rolled back, or its history is no longer kept) is PENDING, as with Celery.
    """

    def __init__(self, id: str | int) -> None:
        self.id = str(id)

    @property
    def task_id(self) -> str:
        """The job's id, as text."""
        return self.id

    @property
    def state(self) -> str:
        """PENDING, STARTED, RETRY, SUCCESS, FAILURE or REVOKED (cancelled, aborted or expired)."""
        return _state(self._story())

    status = state

    @property
    def result(self) -> Any:
        """What the task returned, as JSON has it; a JobFailed or JobRevoked if it did not; None while it has not ended."""
        known = self._story()
        if _state(known) == "SUCCESS" and known is not None:
            return known.attempts[-1].result
        return _failure(known)

    info = result

    @property
    def traceback(self) -> str | None:
        """The traceback of the last attempt that raised, as text."""
        known = self._story()
        return next((each.traceback for each in reversed(known.attempts if known else ()) if each.traceback), None)

    def ready(self) -> bool:
        """Whether the job has ended, well or not."""
        return self.state in _READY

    def successful(self) -> bool:
        """Whether it ended well."""
        return self.state == "SUCCESS"

    def failed(self) -> bool:
        """Whether it is a dead letter."""
        return self.state == "FAILURE"

    def get(self, timeout: float | None = None, propagate: bool = True, interval: float = 0.5) -> Any:
        """Wait until the job has ended; what its task returned.

        `timeout` and `interval` (the longest pause between two looks) are seconds. Raises JobFailed or JobRevoked, or returns
        it without `propagate`; ResultTimeout; JobNotFound; WaitRefused inside a transaction or a task, where waiting is no use.
        """
        until = None if timeout is None else time.monotonic() + _seconds("timeout", timeout, least=0)
        longest_s, pause_s = _seconds("interval", interval, least=0.001), _FIRST_LOOK_S
        while True:
            known = self._story()
            if known is None:
                raise JobNotFound(self.id)
            if _state(known) in _READY:
                break
            self._refuse_to_wait_for_ever()
            left_s = longest_s if until is None else until - time.monotonic()
            if left_s <= 0:
                raise ResultTimeout(
                    f"Job {self.id} ({known.task_name}) has not ended after {timeout} s: {_state(known)}."
                )
            time.sleep(min(pause_s, longest_s, left_s))
            pause_s *= 1.5
        failure = _failure(known)
        if failure is None:
            return known.attempts[-1].result
        if propagate:
            raise failure
        return failure

    wait = get

    def revoke(self, terminate: bool = False) -> None:
        """Take a waiting job off its queue; end a running one only with `terminate`. One that has ended stays as it is.

        Raises JobNotFound.
        """
        known = self._story()
        if known is None:
            raise JobNotFound(self.id)
        if known.status is JobStatus.TODO or (terminate and known.status is JobStatus.DOING):
            try:
                acts.cancel(known.job_id, "revoked")
            except JobNotFound:
                raise
            except Refused:
                return  # it has ended meanwhile

    def __getattr__(self, name: str) -> Any:
        refusal = absent.refuse_attribute("An AsyncResult", name, absent.OF_RESULTS)
        raise refusal or AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __str__(self) -> str:
        return self.id

    def __repr__(self) -> str:
        return f"<AsyncResult: {self.id}>"

    def __eq__(self, other: object) -> bool:
        return other.id == self.id if isinstance(other, AsyncResult) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.id)

    def _story(self) -> JobStory | None:
        is_id = self.id.isascii() and self.id.isdecimal() and len(self.id) <= len(str(_LARGEST_ID))
        if not is_id or int(self.id) > _LARGEST_ID:
            return None
        return history.story(int(self.id), tenant_id=current_tenant())

    def _refuse_to_wait_for_ever(self) -> None:
        if running.current.get(None) is not None:
            raise WaitRefused(
                f"A task waits for job {self.id}: it would hold a place that this job may need. Let the other task go on "
                "where this one ends, or enqueue what comes next at the end of the other one."
            )
        if connections[settings().database].in_atomic_block:
            raise WaitRefused(
                f"Job {self.id} is waited for inside a transaction; if it was enqueued in it, nobody sees it before the commit. "
                "Wait after the transaction."
            )


def _state(known: JobStory | None) -> str:
    if known is None:
        return CELERY_WORDS[JobStatus.TODO]
    if known.status is JobStatus.TODO and known.job is not None and (known.job.attempts or known.job.crash_count):
        return "RETRY"
    return CELERY_WORDS[known.status]


def _failure(known: JobStory | None) -> NoResult | None:
    """Why there is no result and will be none; None for a job that ended well, or has not ended."""
    if known is None or _state(known) not in _READY or known.status is JobStatus.SUCCEEDED:
        return None
    last = known.attempts[-1] if known.attempts else None
    said = last.error_message if last else ""
    if known.status is JobStatus.FAILED:
        return JobFailed(known.job_id, known.task_name, last.error_class if last else "", said)
    if last is not None and last.outcome == Outcome.EXPIRED:
        return JobRevoked(known.job_id, known.task_name, said)
    return JobRevoked(known.job_id, known.task_name, f"{known.status}. {said}".rstrip())


def _seconds(name: str, given: Any, *, least: float) -> float:
    if isinstance(given, bool) or not isinstance(given, int | float) or not given >= least:
        raise WrongOption(f"AsyncResult.get: {name} is {given!r}; right are seconds from {least}.")
    return float(given)
