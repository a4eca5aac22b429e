"""`delay`, `apply_async`, `s` and the like of our own tasks: a call as Celery writes it becomes a call of ours, or a typed error."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from youtility_tasks.declaration import Task

from . import sides
from .canvas import chunks, xmap, xstarmap
from .positions import by_name
from .signatures import Signature

__all__ = ["apply_async", "attribute", "by_name"]


def apply_async(task: Task, args: Any, kwargs: Any, options: Mapping[str, Any]) -> Any:
    """Have the call run, on the side that its route says. Raises a subclass of EnqueueError, and then nothing was written."""
    return sides.send(task, args, kwargs, options)


_CANVAS: Mapping[str, Callable[[Task], Any]] = {
    "s": lambda task: lambda *args, **kwargs: Signature(task.name, args, kwargs),
    "si": lambda task: lambda *args, **kwargs: Signature(task.name, args, kwargs, immutable=True),
    "signature": lambda task: lambda args=None, kwargs=None, **said: Signature(task.name, args, kwargs, **said),
    "subtask": lambda task: lambda args=None, kwargs=None, **said: Signature(task.name, args, kwargs, **said),
    "chunks": lambda task: lambda it, n: chunks(Signature(task.name), it, n),
    "map": lambda task: lambda it: xmap(Signature(task.name), it),
    "starmap": lambda task: lambda it: xstarmap(Signature(task.name), it),
    "apply": lambda task: lambda args=(), kwargs=None, **_: Signature(task.name, args, kwargs).apply(),
}


def attribute(task: Task, name: str) -> Any:
    """What Celery's call sites expect of a task by this name; None for a name that is none of these."""
    made = _CANVAS.get(name)
    return None if made is None else made(task)
