"""For those who come from Celery: `from youtility_tasks.celery_bridge import shared_task`, and call sites stay as they are.

Names are imported when they are first used, because Django imports this package before models exist.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import exceptions, signals, states
    from .app import Celery, current_app, get_task_logger, shared_task
    from .canvas import chain, chord, chunks, group, xmap, xstarmap
    from .groups import GroupResult, ResultSet
    from .joining import register
    from .results import AsyncResult, EagerResult, allow_join_result
    from .signatures import Signature, maybe_signature, signature, subtask
    from .task import Task, current_task
    from .utils import uuid

__all__ = [
    "AsyncResult",
    "Celery",
    "EagerResult",
    "GroupResult",
    "ResultSet",
    "Signature",
    "Task",
    "allow_join_result",
    "chain",
    "chord",
    "chunks",
    "current_app",
    "current_task",
    "exceptions",
    "get_task_logger",
    "group",
    "maybe_signature",
    "register",
    "shared_task",
    "signals",
    "signature",
    "states",
    "subtask",
    "uuid",
    "xmap",
    "xstarmap",
]

_HOME = {
    "AsyncResult": "groups",
    "Celery": "app",
    "EagerResult": "results",
    "GroupResult": "groups",
    "ResultSet": "groups",
    "Signature": "canvas",
    "Task": "task",
    "allow_join_result": "results",
    "chain": "canvas",
    "chord": "canvas",
    "chunks": "canvas",
    "current_app": "app",
    "current_task": "task",
    "get_task_logger": "app",
    "group": "canvas",
    "maybe_signature": "canvas",
    "register": "joining",
    "shared_task": "app",
    "signature": "canvas",
    "subtask": "canvas",
    "uuid": "utils",
    "xmap": "canvas",
    "xstarmap": "canvas",
}


def __getattr__(name: str) -> Any:
    if name in _HOME:
        found = getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
    elif name in __all__:
        found = importlib.import_module(f".{name}", __name__)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = found
    return found
