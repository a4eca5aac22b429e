"""What every process knows of the bridge: enough to load the rest when somebody first uses it, for most never do."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from typing import Any

from youtility_tasks.declaration import Task
from youtility_tasks.errors import NotOfCelery

from . import absent, extra

_CANVAS = frozenset({"s", "si", "signature", "subtask", "chunks", "map", "starmap", "apply"})
_BUILT_IN = frozenset({"celery.map", "celery.starmap"})


def apply_async(task: Task, args: Any, kwargs: Any, options: Mapping[str, Any]) -> Any:
    """See `calls.apply_async`."""
    return _module("calls").apply_async(task, args, kwargs, options)


def result(job_id: str | int) -> Any:
    """The job with this id."""
    return _module("groups").AsyncResult(job_id)


def attribute(task: Task, name: str) -> Any:
    """What Celery's call sites expect of one of our own tasks by this name; None for a name that is none of these."""
    return _module("calls").attribute(task, name) if name in _CANVAS else None


def refuse_attribute(task: Task, name: str) -> NotOfCelery | None:
    """The error for an attribute that only a task of Celery's has; None for a name that means nothing there, either."""
    return (
        absent.refuse_attribute(f"Task {task.task_name!r}", name, absent.OF_TASKS) if name in absent.OF_TASKS else None
    )


def ready() -> None:
    """Django is: a Celery application, if there is one, may go on."""
    if f"{__package__}.app" in sys.modules:
        _module("app").ready()


def find(name: str) -> Task | None:
    """The tasks behind `add.map(...)` and `add.starmap(...)`, and those of shadows; None for any other name."""
    module = "built_in" if name in _BUILT_IN else "shadow" if name.startswith(extra.SHADOWS) else None
    found: Task | None = None if module is None else _module(module).find(name)
    return found


def _module(name: str) -> Any:
    return importlib.import_module(f".{name}", __package__)
