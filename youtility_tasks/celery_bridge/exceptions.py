"""Celery's exceptions: its own classes where it is installed, so that one code runs on either side; else ours of the same names.

What only we raise (a result that failed, a wait that took too long) is ours in any case, and caught by Celery's name from here.
"""

from __future__ import annotations

import importlib
from importlib.util import find_spec
from typing import Any

from youtility_tasks import errors
from youtility_tasks.errors import AbortRequested


class Dropped(AbortRequested):
    """The task said that its job is to end without an outcome (`Ignore`, `Reject`)."""


def is_dropped(error_class: str) -> bool:
    """Whether an attempt of which the history has this error was ended by its task so that nothing comes of it."""
    return error_class == f"{Dropped.__module__}.{Dropped.__qualname__}"


class _CeleryError(Exception):
    """The root of those that a task raises."""


class _TaskPredicate(_CeleryError):
    """What says how a task's end is meant."""


class _Ignore(_TaskPredicate):
    """End without a result; nothing that comes after the task begins."""


class _Reject(_TaskPredicate):
    """End as not done: run again with `requeue`, dropped without."""

    def __init__(self, reason: Any = None, requeue: bool = False) -> None:
        self.reason, self.requeue = reason, requeue
        super().__init__(reason, requeue)


class _Retry(_TaskPredicate):
    """Another attempt follows; `self.retry` raises it."""

    def __init__(
        self, message: str | None = None, exc: Any = None, when: Any = None, is_eager: bool = False, sig: Any = None
    ) -> None:
        self.message, self.exc, self.when, self.is_eager, self.sig = message, exc, when, is_eager, sig
        super().__init__(message or f"Retry in {when}", exc, when)


class _MaxRetriesExceededError(_CeleryError):
    """A task asked for one attempt more than it may have."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.task_args, self.task_kwargs = kwargs.pop("task_args", []), kwargs.pop("task_kwargs", {})
        super().__init__(*args, **kwargs)


_EITHERS: dict[str, type[BaseException]] = {
    "CeleryError": _CeleryError,
    "TaskPredicate": _TaskPredicate,
    "Ignore": _Ignore,
    "Reject": _Reject,
    "Retry": _Retry,
    "MaxRetriesExceededError": _MaxRetriesExceededError,
    "SoftTimeLimitExceeded": errors.SoftTimeLimit,
}
"""Celery's where there is Celery."""
_OURS: dict[str, type[BaseException]] = {
    "ChordError": errors.JobFailed,
    "ImproperlyConfigured": errors.ConfigurationError,
    "NotRegistered": errors.UnknownTask,
    "TaskRevokedError": errors.JobRevoked,
    "TimeLimitExceeded": errors.HardTimeLimit,
    "TimeoutError": errors.ResultTimeout,
    "WorkerLostError": errors.ChildDied,
}


def __getattr__(name: str) -> Any:
    if name in _OURS:
        return _OURS[name]
    if name.startswith("__") or find_spec("celery") is None:
        if name in _EITHERS:
            return _EITHERS[name]
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module("celery.exceptions"), name)  # others, too: only Celery raises them


def time_is_up() -> type[errors.SoftTimeLimit]:
    """What is raised in a task whose soft limit has passed: ours, and Celery's where it is installed."""
    if find_spec("billiard") is None:
        return errors.SoftTimeLimit
    theirs = importlib.import_module("billiard.exceptions").SoftTimeLimitExceeded
    both: type[errors.SoftTimeLimit] = type(
        "SoftTimeLimit",
        (errors.SoftTimeLimit, theirs),
        {"__module__": errors.__name__, "__doc__": errors.SoftTimeLimit.__doc__},
    )
    return both
