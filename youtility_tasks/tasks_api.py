"""The names of DEP 14 (background tasks): Django 6's own `django.tasks`, or the backport `django-tasks` on Django 5.2."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, TypeVar

import django

if TYPE_CHECKING or django.VERSION < (6, 0):
    from django_tasks import task_backends
    from django_tasks.backends.base import BaseTaskBackend
    from django_tasks.base import Task, TaskContext, TaskResult, TaskResultStatus
    from django_tasks.base import TaskError as DjangosTaskError
    from django_tasks.exceptions import InvalidTaskError as InvalidTask
    from django_tasks.exceptions import TaskResultDoesNotExist, TaskResultMismatch
    from django_tasks.signals import task_enqueued, task_finished, task_started
    from django_tasks.utils import normalize_json
else:
    from django.tasks import task_backends
    from django.tasks.backends.base import BaseTaskBackend
    from django.tasks.base import Task, TaskContext, TaskResult, TaskResultStatus
    from django.tasks.base import TaskError as DjangosTaskError
    from django.tasks.exceptions import InvalidTask, TaskResultDoesNotExist, TaskResultMismatch
    from django.tasks.signals import task_enqueued, task_finished, task_started
    from django.utils.json import normalize_json

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
    "normalize_json",
    "result_of_json",
    "task_backends",
    "task_enqueued",
    "task_finished",
    "task_started",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskError(DjangosTaskError):
    """Django's, which also finds a class inside another one: `Model.DoesNotExist` is what tasks raise most."""

    @property
    def exception_class(self) -> type[BaseException]:
        """The class that was raised. Raises ImportError if it is gone, ValueError for what is no exception."""
        try:
            # Not super(): a slotted dataclass is a new class, which the zero-argument form does not know.
            named: type[BaseException] = DjangosTaskError.exception_class.fget(self)  # type: ignore[attr-defined]
        except ImportError:
            found = _inside(self.exception_class_path)
            if not isinstance(found, type) or not issubclass(found, BaseException):
                raise
            return found
        return named


def _inside(path: str) -> object:
    """What stands at a path whose last names are attributes of each other; None if nothing does."""
    *names, last = path.split(".")
    for length in range(len(names), 0, -1):
        found: object = sys.modules.get(".".join(names[:length]))
        if found is not None:
            for name in (*names[length:], last):
                found = getattr(found, name, None)
            return found
    return None


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

    def __eq__(self, other: object) -> bool:
        """As Django's results are: by what they say of the job."""
        told = [each.name for each in fields(TaskResult) if each.compare]
        return isinstance(other, TaskResult) and all(getattr(self, name) == getattr(other, name) for name in told)

    __hash__ = TaskResult.__hash__

    @classmethod
    def of(cls, found: TaskResult[T], *, is_new: bool, is_replaced: bool) -> EnqueuedResult[T]:
        """The same result, with what became of the call."""
        made: EnqueuedResult[T] = object.__new__(cls)
        for each in fields(found):
            object.__setattr__(made, each.name, getattr(found, each.name))
        object.__setattr__(made, "is_new", is_new)
        object.__setattr__(made, "is_replaced", is_replaced)
        return made
