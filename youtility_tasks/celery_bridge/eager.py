"""`task.apply()`, and `task_always_eager`: everything here and now, in the caller's process and transaction."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from . import exceptions, request, states, tracing
from .config import conf
from .request import Request
from .results import EagerResult
from .signatures import maybe_signature

if TYPE_CHECKING:
    from .task import Task

_MOST_RETRIES = 500


def apply(
    task: Task, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None, *, task_id: str | None = None, link: Any = None,
    link_error: Any = None, throw: bool | None = None, retries: int = 0, headers: Mapping[str, Any] | None = None,
    root_id: str | None = None, parent_id: str | None = None, ignore_result: bool | None = None, **_: Any,
) -> EagerResult:  # fmt: skip
    """Run the task, its retries (without their waits) and its links; what a worker would be told of the time is not looked at."""
    own_id = task_id or str(uuid.uuid4())
    around = request.innermost()
    now = Request(
        id=own_id,
        task=task.name,
        args=tuple(args),
        kwargs=dict(kwargs or {}),
        retries=retries,
        root_id=root_id or (around[1].root_id if around else None) or own_id,
        parent_id=parent_id or (around[1].id if around else None),
        hostname=request.hostname(task.house.queue_name),
        delivery_info={"is_eager": True, "exchange": "", "routing_key": task.queue, "priority": task.priority},
        headers=dict(headers or {}) or None,
        timelimit=(task.time_limit, task.soft_time_limit),
        called_directly=False,
        is_eager=True,
    )
    raising = conf["task_eager_propagates"] if throw is None else throw
    state, returned, said = states.SUCCESS, None, None
    try:
        returned = tracing.attempt(task, now)
    except exceptions.Retry as asked:
        if retries >= _MOST_RETRIES:
            raise RecursionError(f"Task {task.name!r} asked for {_MOST_RETRIES} retries of one eager call.") from asked
        return apply(
            task, asked.sig.args, asked.sig.kwargs, task_id=own_id, link=link, link_error=link_error, throw=throw, retries=retries + 1,
            headers=headers, root_id=now.root_id, parent_id=now.parent_id,
        )  # fmt: skip
    except exceptions.Ignore as error:
        state, returned = (now.state[0] if now.state else states.IGNORED), error
    except exceptions.Reject as error:
        state, returned = states.REJECTED, error
    except Exception as error:
        state, returned, said = states.FAILURE, error, tracing.ExceptionInfo(error).traceback
        for each in _list(link_error):
            _tell(maybe_signature(each), task, now, error, said)
        if raising:
            raise
    else:
        for each in _list(link):
            maybe_signature(each).apply((returned,))
    return EagerResult(own_id, returned, state, traceback=said, name=task.name)


def _tell(errback: Any, task: Task, now: Request, error: Exception, said: str) -> None:
    theirs = errback.type
    if theirs is not None and tracing.takes_whole_failure(theirs, errback.args, errback.kwargs):
        errback.clone(args=(now, error, said)).apply()
    else:
        errback.clone(args=(now.id,)).apply()


def _list(given: Any) -> list[Any]:
    return list(given) if isinstance(given, list | tuple) else [] if given is None else [given]
