"""The names of DEP 14 (background tasks): Django 6's own `django.tasks`, or the backport `django-tasks` on Django 5.2."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, TypeVar

import django

if TYPE_CHECKING or django.VERSION < (6, 0):
    from django_tasks import task_backends
    from django_tasks.backends.base import BaseTaskBackend
    from django_tasks.base import Task, TaskContext, TaskError, TaskResult, TaskResultStatus
    from django_tasks.exceptions import InvalidTaskError as InvalidTask
    from django_tasks.exceptions import TaskResultDoesNotExist, TaskResultMismatch
    from django_tasks.signals import task_enqueued, task_finished, task_started
else:
    from django.tasks import task_backends
    from django.tasks.backends.base import BaseTaskBackend
    from django.tasks.base import Task, TaskContext, TaskError, TaskResult, TaskResultStatus
    from django.tasks.exceptions import InvalidTask, TaskResultDoesNotExist, TaskResultMismatch
    from django.tasks.signals import task_enqueued, task_finished, task_started

__all__ = [
    "BaseTaskBackend",
    "EnqueuedResult",
    "InvalidTask",
    "Task",
    "TaskContext",
    "TaskError",
    "TaskResult",
    "TaskResultDoesNotExist",
    "TaskResultMismatch",
    "TaskResultStatus",
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


T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class EnqueuedResult(TaskResult[T]):
    """What a call of `enqueue` gives: the result of the job that stands for it."""

    is_new: bool = True
    """The call made the job; False: another call had, which holds the call's key."""
    is_replaced: bool = False
    """The other call's job waited, and has this call's arguments now."""

    @classmethod
    def of(cls, found: TaskResult[T], *, is_new: bool, is_replaced: bool) -> EnqueuedResult[T]:
        """The same result, with what became of the call."""
        made: EnqueuedResult[T] = object.__new__(cls)
        for each in fields(found):
            object.__setattr__(made, each.name, getattr(found, each.name))
        object.__setattr__(made, "is_new", is_new)
        object.__setattr__(made, "is_replaced", is_replaced)
        return made
