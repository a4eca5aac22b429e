"""`task.delay(...)` and `task.apply_async(...)`: a call as Celery writes it becomes a call of ours, or a typed error."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from inspect import Parameter
from typing import Any

from django.utils import timezone

from youtility_tasks.declaration import Task
from youtility_tasks.errors import NotOfCelery, WrongArguments, WrongOption
from youtility_tasks.payload import safe

from . import absent
from .results import AsyncResult

_KNOWN = ("countdown", "eta", "expires", "priority", "queue")
_NOTHING: tuple[Any, ...] = (None, [], ())


def apply_async(task: Task, args: Any, kwargs: Any, options: Mapping[str, Any]) -> AsyncResult:
    """Enqueue the call in the caller's transaction. Raises a subclass of EnqueueError, and then nothing was written."""
    task.validate()
    given_args, given_kwargs = by_name(task, args, kwargs)
    result = using(task, options).enqueue(*given_args, **given_kwargs)
    return AsyncResult(result.id)


def result(job_id: str | int) -> AsyncResult:
    """The job with this id."""
    return AsyncResult(job_id)


def refuse_attribute(task: Task, name: str) -> NotOfCelery | None:
    """The error for an attribute that only a task of Celery's has; None for a name that means nothing there, either."""
    return (
        absent.refuse_attribute(f"Task {task.task_name!r}", name, absent.OF_TASKS) if name in absent.OF_TASKS else None
    )


def by_name(task: Task, args: Any, kwargs: Any) -> tuple[list[Any], dict[str, Any]]:
    """The call's arguments as `enqueue` takes them: positional ones are given the names of the parameters, in their order.

    The parameters of a keyword-only task stand in the order that they had in Celery. Raises WrongArguments.
    """
    args, kwargs = () if args is None else args, {} if kwargs is None else kwargs
    if isinstance(args, str | bytes) or not isinstance(args, Sequence):
        raise WrongArguments(
            f"Task {task.name!r}: args is {safe(repr, args):.80}; right is a list or tuple of positional arguments."
        )
    if not isinstance(kwargs, Mapping):
        raise WrongArguments(f"Task {task.name!r}: kwargs is {safe(repr, kwargs):.80}; right is a mapping.")
    if task.verbatim:
        return list(args), dict(kwargs)
    named = (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)
    names = [each.name for each in task.signature.parameters.values() if each.kind in named]
    if len(args) > len(names):
        raise WrongArguments(
            f"Task {task.name!r} was given {len(args)} positional arguments; right are at most {len(names)}, in this order: "
            f"{', '.join(names) or 'none'}."
        )
    by_position = dict(zip(names, args, strict=False))
    twice = [name for name in by_position if name in kwargs]
    if twice:
        raise WrongArguments(
            f"Task {task.name!r}: {', '.join(map(repr, twice))} given by position and by name. Positions are: {', '.join(names)}."
        )
    return [], {**by_position, **kwargs}


def using(task: Task, options: Mapping[str, Any]) -> Task:
    """The task with Celery's options for the next call. Raises NotOfCelery, WrongOption, NaiveDatetime or UnknownQueue."""
    for name, value in options.items():
        # None is how Celery's own callers say "not given".
        if name not in _KNOWN and not (name in absent.OPTIONS and value in _NOTHING):
            raise absent.refuse_option(task.name, name, [*_KNOWN, "args", "kwargs"])
    countdown, eta = options.get("countdown"), options.get("eta")
    if countdown is not None and eta is not None:
        raise WrongOption(
            f"Task {task.name!r}: countdown is {countdown!r} and eta is {eta!r}; right is one of the two."
        )
    expires = options.get("expires")
    return task.using(
        run_after=eta if countdown is None else _from_now(task, "countdown", countdown),
        expires_at=expires if expires is None or isinstance(expires, datetime) else _from_now(task, "expires", expires),
        queue_name=options.get("queue"),
        priority=options.get("priority"),
    )


def _from_now(task: Task, name: str, seconds: Any) -> datetime:
    """That many seconds from now; no seconds, or fewer, are an instant that has passed."""
    if isinstance(seconds, timedelta):
        seconds = seconds.total_seconds()
    right = "seconds from now" if name == "countdown" else "seconds from now, or an aware datetime"
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not math.isfinite(seconds):
        raise WrongOption(f"Task {task.name!r}: {name} is {safe(repr, seconds):.80}; right are {right}.")
    try:
        return timezone.now() + timedelta(seconds=seconds)
    except OverflowError as error:
        raise WrongOption(
            f"Task {task.name!r}: {name} is {safe(repr, seconds):.80}; right are {right}, up to the year 9998."
        ) from error
