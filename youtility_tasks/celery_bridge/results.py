"""`AsyncResult`: a call as sites written for Celery look at it. Each look is a look into the database."""

from __future__ import annotations

import contextlib
import contextvars
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from django.db import connections

from youtility_tasks import acts, running
from youtility_tasks.conf import settings
from youtility_tasks.errors import JobNotFound, NoResult, Refused, ResultTimeout, WaitRefused, WrongOption

from . import absent, looking, states, tracing
from .looking import Look

_FIRST_LOOK_S = 0.02
_may_wait: contextvars.ContextVar[bool] = contextvars.ContextVar("youtility_tasks_celery_may_wait", default=False)


@contextlib.contextmanager
def allow_join_result() -> Iterator[None]:
    """Inside the block a task may wait for another one; it holds its place meanwhile."""
    theirs = sys.modules.get("celery.result")  # in a worker of Celery's a canvas has Celery's results
    token = _may_wait.set(True)
    try:
        with contextlib.nullcontext() if theirs is None else theirs.allow_join_result():
            yield
    finally:
        _may_wait.reset(token)


class AsyncResult:
    """The call with this id, as the current tenant may see it.

    One that nobody knows (it was rolled back, or its history is no longer kept) is PENDING, as with Celery.
    """

    def __init__(self, id: str | int, *, parent: Any = None, **_: Any) -> None:
        self.id = str(id)
        self._parent = parent

    @property
    def task_id(self) -> str:
        """The id, as text."""
        return self.id

    @property
    def state(self) -> str:
        """PENDING, STARTED, RETRY, SUCCESS, FAILURE or REVOKED (cancelled, aborted or expired), IGNORED, or what `update_state` said."""
        known = self._look()
        return states.PENDING if known is None else known.state

    status = state

    @property
    def result(self) -> Any:
        """What the task returned, or said of its state; a JobFailed or JobRevoked if it did not return; None while nothing is known."""
        known = self._look()
        return None if known is None else known.failure or known.result

    info = result

    @property
    def traceback(self) -> str | None:
        """The traceback of the last attempt that raised, as text."""
        known = self._look()
        return None if known is None else known.traceback

    @property
    def name(self) -> str | None:
        """The task's name."""
        known = self._look()
        return known.task_name if known else None

    @property
    def args(self) -> Any:
        """The positional arguments of the call."""
        known = self._look()
        return known.args if known else None

    @property
    def kwargs(self) -> Any:
        """The named arguments of the call."""
        known = self._look()
        return known.kwargs if known else None

    @property
    def retries(self) -> int:
        """How many attempts were followed by another one."""
        known = self._look()
        return known.retries if known else 0

    @property
    def date_done(self) -> datetime | None:
        """When it ended."""
        known = self._look()
        return known.date_done if known else None

    # -- neighbours in a canvas

    @property
    def parent(self) -> Any:
        """Of a chain's member: the result of the one before, a GroupResult if that was a group."""
        if self._parent is None:
            self._parent = self._of(self._before())
        return self._parent

    @property
    def children(self) -> list[AsyncResult]:
        """What begins when this has succeeded: its links, and the next of its chain."""
        return [AsyncResult(each) for each in self._behind()]

    def get_leaf(self) -> Any:
        """The result of the last task behind this one."""
        here = self
        while children := here.children:
            here = children[-1]
        return here.result

    def iterdeps(self, intermediate: bool = False) -> Iterator[tuple[AsyncResult | None, AsyncResult]]:
        """(parent, result) of this and of all behind it. Raises IncompleteStream's like for one that has not ended, unless `intermediate`."""
        waiting: list[tuple[AsyncResult | None, AsyncResult]] = [(None, self)]
        while waiting:
            before, here = waiting.pop(0)
            yield before, here
            if here.ready():
                waiting += [(here, child) for child in here.children]
            elif not intermediate:
                raise ResultTimeout(f"Job {here.id} has not ended: {here.state}.")

    def collect(self, intermediate: bool = False, **options: Any) -> Iterator[tuple[AsyncResult, Any]]:
        """(result, value) of this and of all behind it."""
        for _, each in self.iterdeps(intermediate):
            yield each, each.get(**options)

    def as_tuple(self) -> tuple[Any, None]:
        """((id, parent's tuple), None)."""
        return (self.id, self.parent.as_tuple() if self.parent is not None else None), None

    def as_list(self) -> list[str]:
        """The id, and those of the parents."""
        return [self.id, *(self.parent.as_list() if self.parent is not None else [])]

    # -- the end

    def ready(self) -> bool:
        """Whether it has ended, well or not."""
        return self.state in states.READY_STATES

    def successful(self) -> bool:
        """Whether it ended well."""
        return self.state == states.SUCCESS

    def failed(self) -> bool:
        """Whether it failed for good: itself, or a task of its chain before it."""
        return self.state == states.FAILURE

    def get(
        self, timeout: float | None = None, propagate: bool = True, interval: float = 0.5, no_ack: bool = True,
        follow_parents: bool = True, callback: Callable[[str, Any], Any] | None = None, on_message: Any = None,
        on_interval: Any = None, disable_sync_subtasks: bool = True, **_: Any,
    ) -> Any:  # fmt: skip
        """Wait until it has ended; what its task returned.

        `timeout` and `interval` (the longest pause between two looks) are seconds. Raises JobFailed (which is of the class that the task
        raised, too) or JobRevoked, or returns it without `propagate`; ResultTimeout; JobNotFound; WaitRefused inside a transaction or,
        unless that is allowed, a task: there waiting may be no use.
        """
        until = None if timeout is None else time.monotonic() + _seconds("timeout", timeout, least=0)
        longest_s, pause_s = _seconds("interval", interval, least=0.001), _FIRST_LOOK_S
        while True:
            known = self._look()
            if known is None:
                raise JobNotFound(self.id)
            if known.state in states.READY_STATES or known.failure is not None:
                break
            refuse_to_wait_for_ever(self.id, in_task=disable_sync_subtasks)
            left_s = longest_s if until is None else until - time.monotonic()
            if left_s <= 0:
                raise ResultTimeout(
                    f"Job {self.id} ({known.task_name}) has not ended after {timeout} s: {known.state}."
                )
            time.sleep(min(pause_s, longest_s, left_s))
            pause_s *= 1.5
        if known.failure is None:
            return known.result if callback is None else callback(self.id, known.result)
        if propagate and known.state not in (states.IGNORED, states.REJECTED):
            raise known.failure
        return known.failure

    wait = get

    def maybe_throw(self, propagate: bool = True, callback: Any = None) -> Any:
        """Raise what it failed with, if it has failed; else its result."""
        known = self._look()
        if known is not None and known.failure is not None and propagate:
            raise known.failure
        return known.result if known is not None else None

    maybe_reraise = throw = maybe_throw

    def forget(self) -> None:
        """Let go of it. What the task returned stays in the history for `history_retention_days`, and takes no memory anywhere."""
        if self.parent is not None:
            self._parent.forget()
        self._parent = None

    def revoke(self, connection: Any = None, terminate: bool = False, signal: Any = None, **_: Any) -> None:
        """Take a waiting job off its queue; end a running one only with `terminate`. One that has ended stays as it is.

        Raises JobNotFound; Refused for a task of a canvas whose turn has not come.
        """
        known = self._look()
        if known is None:
            raise JobNotFound(self.id)
        if known.state in states.READY_STATES or known.failure is not None:
            return
        if known.revoke is not None:
            known.revoke(terminate, signal)
            return
        if known.job_id is None:
            raise Refused(
                f"{self.id} ({known.task_name}) cannot be revoked: the tasks before it have not ended. Cancel the whole canvas: "
                f"`manage_task_queue workflow cancel {self.id.partition(':')[0]}`."
            )
        if known.is_waiting or (terminate and known.is_running):
            try:
                acts.cancel(known.job_id, "revoked")
            except JobNotFound:
                raise
            except Refused:
                return  # it has ended meanwhile
            if known.is_waiting:  # a running one tells of it itself
                tracing.tell_revoked(known.task_name, self.id, known.args or (), known.kwargs or {})

    # -- as an object

    def __getattr__(self, name: str) -> Any:
        refusal = absent.refuse_attribute("An AsyncResult", name, absent.OF_RESULTS)
        raise refusal or AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __str__(self) -> str:
        return self.id

    def __repr__(self) -> str:
        return f"<AsyncResult: {self.id}>"

    def __eq__(self, other: object) -> bool:
        return (
            other.id == self.id
            if isinstance(other, AsyncResult)
            else other == self.id
            if isinstance(other, str)
            else NotImplemented
        )

    def __hash__(self) -> int:
        return hash(self.id)

    def __reduce__(self) -> Any:
        return AsyncResult, (self.id,)

    def __copy__(self) -> AsyncResult:
        return AsyncResult(self.id, parent=self._parent)

    def _look(self) -> Look | None:
        return looking.look(self.id)

    def _before(self) -> list[str]:
        place = looking.place_of(self.id)
        return [] if place is None else looking.neighbours(place, behind=False)

    def _behind(self) -> list[str]:
        return looking.behind(self.id)

    @staticmethod
    def _of(ids: list[str]) -> Any:
        if not ids:
            return None
        return AsyncResult(ids[0]) if len(ids) == 1 else group_of[0](ids)


group_of: list[Callable[[list[str]], Any]] = []
"""Makes a GroupResult of its members' ids; `groups.py` puts it there."""


class EagerResult(AsyncResult):
    """What a task returned that was run at once: `task.apply()`, `task_always_eager`."""

    def __init__(
        self, id: str, ret_value: Any, state: str, traceback: str | None = None, name: str | None = None
    ) -> None:
        super().__init__(id)
        failure = ret_value if isinstance(ret_value, BaseException) and state != states.SUCCESS else None
        self._known = Look(
            state, None if failure else ret_value, failure, traceback, task_name=name or "", is_waiting=False  # type: ignore[arg-type]
        )  # fmt: skip

    def _look(self) -> Look | None:
        return self._known

    def _before(self) -> list[str]:
        return []

    _behind = _before

    def revoke(self, *args: Any, **kwargs: Any) -> None:
        """It has ended."""

    def __repr__(self) -> str:
        return f"<EagerResult: {self.id}>"


def refuse_to_wait_for_ever(known_as: str, *, in_task: bool = True) -> None:
    """Raise WaitRefused where whoever waits keeps what he waits for from ending, or from being seen to end."""
    if in_task and not _may_wait.get() and running.current.get(None) is not None:
        raise WaitRefused(
            f"A task waits for job {known_as}: it would hold a place that this job may need. Let the other task go on "
            "where this one ends, or enqueue what comes next at the end of the other one."
        )
    if connections[settings().database].in_atomic_block:
        raise WaitRefused(
            f"Job {known_as} is waited for inside a transaction; if it was enqueued in it, nobody sees it before the commit. "
            "Wait after the transaction."
        )


def _seconds(name: str, given: Any, *, least: float) -> float:
    if isinstance(given, bool) or not isinstance(given, int | float) or not given >= least:
        raise WrongOption(f"AsyncResult.get: {name} is {given!r}; right are seconds from {least}.")
    return float(given)


__all__ = ["AsyncResult", "EagerResult", "NoResult", "allow_join_result"]
