"""Background tasks on the PostgreSQL a company already has: the front door.

Names are imported when they are first used, because Django imports this package before models exist.
"""

from __future__ import annotations

import gc
import importlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import audit, controls, dead_letters, effects, errors, queues, schedules
    from .celery_bridge.results import AsyncResult
    from .context import TaskContext
    from .declaration import Task
    from .enqueue import enqueue_many
    from .errors import BadInput, NotReady, NotYetBuilt, Transient
    from .finish import FinalFailure, on_final_failure
    from .notes import Progress, progress_of
    from .registry import task
    from .retry import Retry
    from .secrets.marks import Pii, Secret
    from .tenants import current_tenant, tenant, tenants_in_scope
    from .uniqueness import Debounce, Unique
    from .workflows.definition import Workflow
    from .workflows.graph import COMPLETION, FAILURE, SUCCESS
    from .workflows.runs import RetryMode, Run, current_workflow

__all__ = [
    "COMPLETION",
    "FAILURE",
    "SUCCESS",
    "AsyncResult",
    "BadInput",
    "Debounce",
    "FinalFailure",
    "NotReady",
    "NotYetBuilt",
    "Pii",
    "Progress",
    "Retry",
    "RetryMode",
    "Run",
    "Secret",
    "Task",
    "TaskContext",
    "Transient",
    "Unique",
    "Workflow",
    "audit",
    "controls",
    "current_tenant",
    "current_workflow",
    "dead_letters",
    "effects",
    "enqueue_many",
    "errors",
    "on_final_failure",
    "progress_of",
    "queues",
    "schedules",
    "task",
    "tenant",
    "tenants_in_scope",
]

if sys.argv[1:2] in (["run_postgresql_worker"], ["manage_task_queue"]):
    # What these load they keep: nothing of that is worth looking through again and again, nor at the end (`management/loaded.py`).
    gc.disable()

_HOME = {
    "AsyncResult": "celery_bridge.groups",
    "COMPLETION": "workflows.graph",
    "FAILURE": "workflows.graph",
    "SUCCESS": "workflows.graph",
    "BadInput": "errors",
    "Debounce": "uniqueness",
    "FinalFailure": "finish",
    "NotReady": "errors",
    "NotYetBuilt": "errors",
    "Pii": "secrets.marks",
    "Progress": "notes",
    "Retry": "retry",
    "RetryMode": "workflows.runs",
    "Run": "workflows.runs",
    "Secret": "secrets.marks",
    "Task": "declaration",
    "TaskContext": "context",
    "Transient": "errors",
    "Unique": "uniqueness",
    "Workflow": "workflows.definition",
    "current_tenant": "tenants",
    "current_workflow": "workflows.runs",
    "enqueue_many": "enqueue",
    "on_final_failure": "finish",
    "progress_of": "notes",
    "task": "registry",
    "tenant": "tenants",
    "tenants_in_scope": "tenants",
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
