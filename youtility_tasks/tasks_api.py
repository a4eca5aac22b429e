"""The names of DEP 14 (background tasks): Django 6's own `django.tasks`, or the backport `django-tasks` on Django 5.2."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import django

if TYPE_CHECKING or django.VERSION < (6, 0):
    from django_tasks import task_backends
    from django_tasks.backends.base import BaseTaskBackend
    from django_tasks.base import Task, TaskContext, TaskError, TaskResult, TaskResultStatus
    from django_tasks.exceptions import InvalidTaskError as InvalidTask
    from django_tasks.exceptions import TaskResultDoesNotExist, TaskResultMismatch
    from django_tasks.signals import task_enqueued, task_finished, task_started
    from django_tasks.utils import normalize_json
else:
    from django.tasks import task_backends
    from django.tasks.backends.base import BaseTaskBackend
    from django.tasks.base import Task, TaskContext, TaskError, TaskResult, TaskResultStatus
    from django.tasks.exceptions import InvalidTask, TaskResultDoesNotExist, TaskResultMismatch
    from django.tasks.signals import task_enqueued, task_finished, task_started
    from django.utils.json import normalize_json

__all__ = [
    "BaseTaskBackend",
    "InvalidTask",
    "Task",
    "TaskContext",
    "TaskError",
    "TaskResult",
    "TaskResultDoesNotExist",
    "TaskResultMismatch",
    "TaskResultStatus",
    "normalize_json",
    "result_of_json",
    "task_backends",
    "task_enqueued",
    "task_finished",
    "task_started",
]


def result_of_json(fields: Mapping[str, Any]) -> TaskResult[Any]:
    """A TaskResult whose arguments came out of JSON: it is not made fit for JSON again, which takes longer than a no-op."""
    made: TaskResult[Any] = object.__new__(TaskResult)
    object.__setattr__(made, "_return_value", None)
    for name, value in fields.items():
        object.__setattr__(made, name, value)
    return made
