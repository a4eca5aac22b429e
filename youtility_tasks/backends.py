"""The `django.tasks` backend: our tasks, and any other Django package's, become jobs in PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.core import checks

from . import enqueue, history, tasks_api
from .declaration import Task
from .registry import adopt


class ProcrastinateBackend(tasks_api.BaseTaskBackend):
    """`TASKS = {"default": {"BACKEND": "youtility_tasks.backends.ProcrastinateBackend"}}`.

    Other packages' tasks keep their path as name; their priority -100..100 becomes 10..1, and a queue that is not
    configured (Django's "default") becomes `maintenance`.
    """

    supports_defer = True
    supports_async_task = True
    supports_get_result = True
    supports_priority = True

    def __init__(self, alias: str, params: dict[str, Any]) -> None:
        super().__init__(alias, params)
        self.queues = set()  # ours are checked by `queues.check`, with a suggestion; others' may name any

    def validate_task(self, task: tasks_api.Task) -> None:  # type: ignore[type-arg]
        """Called for each declaration and each `using`.

        Raises ConfigurationError, UnknownQueue, WrongOption or NaiveDatetime for one of ours, Django's InvalidTask for
        what no backend could run (a function inside another one).
        """
        if isinstance(task, Task):
            task.validate()  # first: these errors are typed, and say what would be right
        super().validate_task(task)

    def enqueue(
        self,
        task: tasks_api.Task,  # type: ignore[type-arg]
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
    ) -> tasks_api.TaskResult[Any]:
        """Write one job in the caller's transaction; the result's `id` is the job's, as text.

        Raises an EnqueueError, and then nothing was written: WrongArguments, NotJson, TooDeep, TooLarge, NoTenant, ...
        """
        return enqueue.enqueue(adopt(task), args, kwargs)

    def get_result(self, result_id: str) -> tasks_api.TaskResult[Any]:
        """What is known of a job, waiting, running or ended, as long as its history is kept.

        Raises TaskResultDoesNotExist for an id that is none, also for a job of another tenant than the current one.
        """
        return history.result(result_id)

    def check(self, **kwargs: Any) -> Iterable[checks.CheckMessage]:
        """Nothing: what can be wrong with the settings is found once, by `checks.py`."""
        return []
