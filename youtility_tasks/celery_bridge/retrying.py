"""`self.retry` and `autoretry_for`: when the next attempt is, and whether there is one."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from django.utils import timezone

from youtility_tasks.errors import NotOfCelery

from . import exceptions

if TYPE_CHECKING:
    from .task import Task

_random = random.SystemRandom()  # reads the kernel, so forked children do not share a sequence


def retry(
    task: Task, args: Any, kwargs: Any, *, exc: BaseException | None, throw: bool, eta: datetime | None, countdown: float | None,
    max_retries: int | None, **options: Any,
) -> BaseException:  # fmt: skip
    """See `Task.retry`."""
    if options:
        raise NotOfCelery(
            f"Task {task.name!r}: self.retry has no {min(options)!r} here; instead, declare it: another attempt is the same job in the "
            "same queue, later."
        )
    now = task.request
    if now.called_directly:
        reason = exc or sys.exc_info()[1]
        raise reason if reason is not None else exceptions.Retry("Task can be retried", None)
    most = task.max_retries if max_retries is None else max_retries
    next_args, next_kwargs = now.args if args is None else args, now.kwargs if kwargs is None else kwargs
    if most is not None and now.retries >= most:
        if exc is not None:
            raise exc
        raise exceptions.MaxRetriesExceededError(
            f"Can't retry {task.name}[{now.id}] args:{next_args} kwargs:{next_kwargs}",
            task_args=next_args,
            task_kwargs=next_kwargs,
        )
    if eta is None and countdown is None:
        countdown = task.default_retry_delay
    asked = exceptions.Retry(
        exc=exc,
        when=countdown if eta is None else eta,
        is_eager=now.is_eager,
        sig=task.signature(tuple(next_args), dict(next_kwargs)),
    )
    if asked.exc is None and exc is None:
        asked.__cause__ = sys.exc_info()[1]
    asked.changed = args is not None or kwargs is not None
    if throw:
        raise asked
    now.asked = asked
    return asked  # type: ignore[no-any-return]


def wait_s(asked: Any) -> float:
    """Seconds until the attempt that a Retry asks for."""
    if isinstance(asked.when, datetime):
        at = asked.when if asked.when.tzinfo is not None else asked.when.replace(tzinfo=UTC)  # as in Celery
        return max(0.0, (at - timezone.now()).total_seconds())
    if hasattr(asked.when, "total_seconds"):
        return max(0.0, float(asked.when.total_seconds()))
    return max(0.0, float(asked.when or 0))


def body(task: Task) -> Callable[..., Any]:
    """The task's body, with what `autoretry_for` does around it."""
    call = task.run if type(task).__call__ is _plain_call(type(task)) else task
    kinds = tuple(task.autoretry_for or task.retry_kwargs.get("autoretry_for", ()))
    if not kinds:
        return call

    def run(*args: Any, **kwargs: Any) -> Any:
        try:
            return call(*args, **kwargs)
        except (exceptions.Ignore, exceptions.Reject, exceptions.Retry):
            raise
        except tuple(task.dont_autoretry_for):
            raise
        except kinds as error:
            said = dict(task.retry_kwargs)
            if task.retry_backoff:
                said["countdown"] = backoff_s(task, task.request.retries)
            raise task.retry(exc=error, **said) from error

    return run


def _plain_call(kind: type) -> Any:
    """Of the root of all tasks: one of another base is wanted around the body."""
    return next(each for each in reversed(kind.__mro__) if "__call__" in vars(each)).__call__


def backoff_s(task: Task, retries: int) -> float:
    """Seconds before retry number `retries` + 1: doubling, up to `retry_backoff_max`; with `retry_jitter` anything below that."""
    factor = max(1, int(task.retry_backoff))
    most = min(task.retry_backoff_max, factor * 2 ** min(retries, 64))
    return _random.randrange(int(most) + 1) if task.retry_jitter else max(0, most)
