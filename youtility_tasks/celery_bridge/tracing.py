"""Around one attempt of a task of Celery's form: its request, hooks, signals, and what its end means to our queue."""

from __future__ import annotations

import json
import logging
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from inspect import Parameter
from typing import TYPE_CHECKING, Any

from youtility_tasks import payload, running
from youtility_tasks.conf import settings
from youtility_tasks.context import TaskContext
from youtility_tasks.errors import AbortRequested, BadInput, Expired, JobFailed, NotJson, TryAgain
from youtility_tasks.workers.run import Assignment

from . import exceptions, known, plain, request, retrying, saying, signals, states
from .request import ARGS, HEADERS, Request

if TYPE_CHECKING:
    from .task import Task

_BY_POSITION = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)

logger = logging.getLogger(__name__)


class ExceptionInfo:
    """What hooks are given as `einfo`: the error and its traceback as text."""

    def __init__(self, error: BaseException) -> None:
        self.exception, self.type = error, type(error)
        self.tb = error.__traceback__
        self.traceback = "".join(traceback.format_exception(error))

    def __str__(self) -> str:
        return self.traceback


@dataclass(frozen=True, slots=True)
class Call:
    """The arguments of an attempt as its body gets them, and what else the message would have said."""

    args: list[Any]
    kwargs: dict[str, Any]
    headers: Mapping[str, Any]
    failure: Any = None
    """Of an errback: {"class": ..., "message": ..., "traceback": ...} of the step that failed, None when none did."""
    failed: tuple[str, str] = ("", "")
    """That step, and its task."""


def unfolded(args: Sequence[Any], kwargs: Mapping[str, Any]) -> Call:
    """The call that a job's arguments stand for: results of the steps before it go first."""
    named = dict(kwargs)
    headers = named.pop(HEADERS, None) or {}
    given = [*named.pop(ARGS, ()), *args]
    before = headers.get("before")
    if before is not None:
        given = [_shaped(before, named), *given]
    failure, failed = None, ("", "")
    for name, step, task_name in headers.get("errors", ()):
        if failure is None and named.get(name) is not None:
            failure, failed = named[name], (step, task_name)
    for name in [each for each in named if each.startswith("$")]:
        del named[name]
    return Call(plain.opened(given), plain.opened(named), headers, failure, failed)


def _shaped(shape: Any, named: Mapping[str, Any]) -> Any:
    """A result, or results in their order: a number stands for what the reference of that number has become."""
    return [_shaped(each, named) for each in shape] if isinstance(shape, list) else named[f"${shape}"]


def run(task: Task, context: TaskContext, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """Run one attempt as a job. Returns what the history keeps; raises what our queue is to make of it."""
    call = unfolded(args, kwargs)
    if "errors" in call.headers:
        if call.failure is None or exceptions.is_dropped(str(call.failure.get("class"))):
            return None  # nothing has failed, or nobody is to hear of it
        call = replace(call, args=_of_failure(task, call))
    now = _request(task, context, call)
    late_s = request.overdue_s(now.expires)
    if late_s is not None:
        signals.task_revoked.send(sender=task, request=now, terminated=False, signum=None, expired=True)
        raise Expired(late_s)
    if now.retries:
        _changed_by_retry(now)
    kept = attempt(task, now)
    return None if now.ignore_result and not call.headers.get("step") else _fit(task, kept, call)


def _fit(task: Task, returned: Any, call: Call) -> Any:
    """What the history keeps. As in Celery, a result that is no JSON is the task's failure; and so is one of a canvas that would be cut short
    before another task takes it. Raises NotJson, TooLarge, TooDeep."""
    packed, limits, what = plain.packed(returned), settings(), f"What {task.name!r} returned"
    if call.headers.get("step"):
        payload.check(what, packed, max_bytes=limits.max_result_bytes, max_depth=limits.max_args_depth, root="result")
        return packed
    try:
        json.dumps(packed)
    except (TypeError, ValueError, RecursionError) as error:
        payload.check(what, packed, max_bytes=sys.maxsize, max_depth=limits.max_args_depth, root="result")
        raise NotJson(f"{what}: {error}") from error
    return packed


def attempt(task: Task, now: Request) -> Any:
    """Run the body with its hooks and signals; its result, or the error that says what becomes of the job."""
    state, returned, info = states.SUCCESS, None, None
    with request.pushed(task, now):
        signals.task_prerun.send(sender=task, task_id=now.id, task=task, args=now.args, kwargs=now.kwargs)
        try:
            try:
                task.before_start(str(now.id), now.args, now.kwargs)
                returned = retrying.body(task)(*now.args, **now.kwargs)
                if now.asked is not None:  # self.retry(throw=False)
                    raise now.asked
            except BaseException as error:
                info = ExceptionInfo(error)
                state, returned, meant = _meant(task, now, error, info)
                if meant is error:
                    raise
                raise meant from meant.__cause__
            _say(task.on_success, returned, now.id, now.args, now.kwargs)
            signals.task_success.send(sender=task, result=returned)
            return returned
        finally:
            if state not in (states.RETRY, states.IGNORED, states.REJECTED):
                _say(task.after_return, state, returned, now.id, now.args, now.kwargs, info)
            signals.task_postrun.send(
                sender=task, task_id=now.id, task=task, args=now.args, kwargs=now.kwargs, retval=returned, state=state
            )


def _meant(
    task: Task, now: Request, error: BaseException, info: ExceptionInfo
) -> tuple[str, BaseException, BaseException]:
    """Celery's state, its `retval`, and the error that tells our queue the same."""
    if isinstance(error, exceptions.Retry):
        cause = error.exc if isinstance(error.exc, BaseException) else error.__cause__ or error
        _say(task.on_retry, cause, now.id, now.args, now.kwargs, info)
        signals.task_retry.send(sender=task, request=now, reason=error, einfo=info)
        if now.is_eager:
            return states.RETRY, error, error
        _keep_changes(now, error)
        again = TryAgain(retrying.wait_s(error))
        again.__cause__ = cause
        return states.RETRY, error, again
    if isinstance(error, exceptions.Reject):
        if now.is_eager:
            return states.REJECTED, error, error
        meant = TryAgain(1) if error.requeue else BadInput(f"The task rejected its job: {error.reason}")
        meant.__cause__ = None if error.requeue else error
        return states.REJECTED, error, meant
    if isinstance(error, exceptions.Ignore):
        if now.is_eager:
            return states.IGNORED, error, error
        said = now.state[0] if now.state else states.IGNORED
        return states.IGNORED, error, exceptions.Dropped(said)
    if isinstance(error, AbortRequested):
        signals.task_revoked.send(sender=task, request=now, terminated=True, signum=None, expired=False)
        return states.REVOKED, error, error
    _say(task.on_failure, error, now.id, now.args, now.kwargs, info)
    signals.task_failure.send(
        sender=task, task_id=now.id, exception=error, args=now.args, kwargs=now.kwargs, traceback=info.tb, einfo=info
    )
    return states.FAILURE, error, error


def tell_revoked(
    task_name: str,
    known_as: str,
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    expired: bool = False,
) -> None:
    """Send `task_revoked` for a job that ends without its body."""
    whose = known.tasks.get(task_name)
    if whose is not None:
        ended = Request(id=known_as, task=task_name, args=args, kwargs=kwargs or {}, called_directly=False)
        signals.task_revoked.send(sender=whose, request=ended, terminated=False, signum=None, expired=expired)


def tell_expired(job: Assignment) -> None:
    """The same for one whose turn came too late."""
    tell_revoked(job.task_name, str(job.job_id), expired=True)


def _say(hook: Callable[..., Any], *said: Any) -> None:
    """What a hook raises does not change what has become of the attempt."""
    try:
        hook(*said)
    except Exception:
        logger.exception("a hook of the task failed hook=%s", getattr(hook, "__qualname__", hook))


def _request(task: Task, context: TaskContext, call: Call) -> Request:
    headers, around = call.headers, running.current.get()
    flow = None if around is None else around.workflow_id
    own_id = headers.get("id") or (f"{flow}:{headers['step']}" if flow and headers.get("step") else str(context.job_id))
    return Request(
        id=own_id,
        task=task.name,
        args=call.args,
        kwargs=call.kwargs,
        retries=context.attempt - 1,
        root_id=_place(headers.get("root"), flow) or own_id,
        parent_id=_place(headers.get("parent"), flow),
        group=_place(headers.get("group"), flow),
        group_index=headers.get("group_index"),
        hostname=request.hostname(context.queue_name),
        delivery_info={
            "exchange": "",
            "routing_key": headers.get("queue", context.queue_name),
            "priority": context.task.priority - 1,
            "redelivered": context.attempt > 1,
        },
        headers=headers.get("headers"),
        eta=headers.get("eta"),
        expires=headers.get("expires"),
        timelimit=(task.time_limit, task.soft_time_limit),
        ignore_result=bool(headers.get("ignore_result", task.ignore_result)),
        called_directly=False,
        origin=headers.get("origin"),
        context=context,
    )


def _place(said: str | None, flow: int | None) -> str | None:
    """An id; one that begins with a colon is a step of this run."""
    return f"{flow}{said}" if said and said.startswith(":") else said


def takes_whole_failure(task: Task, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None) -> bool:
    """Whether an errback takes (request, exc, traceback), and not the id of the task that failed alone: by what its signature leaves open."""
    try:
        bound = task.signature_of_run.bind_partial(*args, **(kwargs or {})).arguments
    except TypeError:
        bound = {}
    parameters = task.signature_of_run.parameters.values()
    is_open = sum(each.kind in _BY_POSITION and each.name not in bound for each in parameters)
    return is_open > 1 or any(each.kind is Parameter.VAR_POSITIONAL for each in parameters)


def _of_failure(task: Task, call: Call) -> list[Any]:
    """The arguments of an errback."""
    failed, flow, said = call.failed, _flow(), call.failure
    error = raised(str(_place(failed[0], flow)), failed[1], said.get("class", ""), said.get("message", ""))
    # Of a chord it is the body that has not come to run, as in Celery; the error says which member it is for.
    step, named = call.headers.get("errors_of") or failed
    whose = _place(step, flow)
    if not takes_whole_failure(task, call.args, call.kwargs):
        return [whose, *call.args]
    return [Request(id=whose, task=named, called_directly=False), error, said.get("traceback", ""), *call.args]


def _flow() -> int | None:
    around = running.current.get()
    return None if around is None else around.workflow_id


def raised(job_id: str, task_name: str, error_class: str, message: str) -> JobFailed:
    """The error of a task that failed: a JobFailed, and of the class that was raised, if that is loaded here."""
    plainly = JobFailed(job_id, task_name, error_class, message)
    module, _, name = error_class.rpartition(".")
    kind = getattr(sys.modules.get(module), name, None)
    if not (isinstance(kind, type) and issubclass(kind, Exception)) or issubclass(kind, JobFailed):
        return plainly
    try:
        both: Any = type(
            kind.__name__, (JobFailed, kind), {"__module__": kind.__module__, "__str__": lambda _: str(plainly)}
        )
        made = both.__new__(both, str(plainly))
        made.args = (str(plainly),)
        made.error_class, made.error_message = error_class, message
    except Exception:  # whatever that class wants to be made of
        return plainly
    return made  # type: ignore[no-any-return]


def _keep_changes(now: Request, asked: Any) -> None:
    """Other arguments that `self.retry` has named, for the next attempts."""
    if getattr(asked, "changed", False) and now.context is not None:
        said = {"args": plain.packed(list(asked.sig.args)), "kwargs": plain.packed(dict(asked.sig.kwargs))}
        now.context.checkpoint({saying.RETRY: said})


def _changed_by_retry(now: Request) -> None:
    kept = now.context.last_checkpoint if now.context is not None else None
    said = kept.get(saying.RETRY) if isinstance(kept, dict) else None
    if said:
        now.kept = {saying.RETRY: said}
        now.args, now.kwargs = plain.opened(said["args"]), plain.opened(said["kwargs"])
