"""What a task's context and Django's signals are told of an attempt as it begins and ends."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from django.db import Error
from django.utils import timezone

from youtility_tasks import foreign, history, tasks_api
from youtility_tasks.declaration import Task

Fields = dict[str, Any]
"""Those of Django's TaskResult."""


def known_of(job_id: int) -> tasks_api.TaskResult[Any] | None:
    """What is known of a running job, for the current tenant; None also while the database does not answer."""
    try:
        return history.result(str(job_id))
    except (tasks_api.TaskResultDoesNotExist, Error):
        return None


def begun(
    task: Task, *, attempt: int, known: tasks_api.TaskResult[Any] | None, stored: dict[str, Any]
) -> dict[str, Any]:
    """When and, for another package's task, as what and where this attempt begins.

    `known` is what there is to know of the latter's job; all that a row does not tell a child is otherwise left out.
    """
    now = timezone.now()
    if task.stands_for is None:
        return {"started_at": now if attempt == 1 else None, "last_attempted_at": now}
    if known is None:
        called = foreign.as_called(task.stands_for, stored)
        return {"task": called, "backend": called.backend, "started_at": now, "last_attempted_at": now}
    return {
        "task": known.task,
        "backend": known.backend,
        "enqueued_at": known.enqueued_at,
        "started_at": known.started_at or now,
        "last_attempted_at": known.last_attempted_at or now,
        "errors": list(known.errors),
        "worker_ids": list(known.worker_ids),
    }


def started(backend: type[tasks_api.BaseTaskBackend], fields: Fields) -> None:
    """Send `task_started`, before the first line of the task."""
    tasks_api.task_started.send(backend, task_result=tasks_api.result_of_json(fields))


def succeeded(backend: type[tasks_api.BaseTaskBackend], fields: Fields, returned: Any) -> None:
    """Send `task_finished`, just before the end is reported."""
    _finished(backend, {**fields, "status": tasks_api.TaskResultStatus.SUCCESSFUL, "_return_value": returned})


def failed(backend: type[tasks_api.BaseTaskBackend], fields: Fields, told: tuple[str, str, str]) -> None:
    """Send `task_finished` of a job that is not tried again, inside the handler of its error: class, message, traceback."""
    error = tasks_api.TaskError(exception_class_path=told[0], traceback=told[2])
    failed_fields = {**fields, "status": tasks_api.TaskResultStatus.FAILED, "errors": [*fields["errors"], error]}
    _finished(backend, failed_fields)


def _finished(backend: type[tasks_api.BaseTaskBackend], fields: Fields) -> None:
    fields["finished_at"] = timezone.now()
    tasks_api.task_finished.send(backend, task_result=tasks_api.result_of_json(fields))


def has_listeners() -> bool:
    """Whether anybody listens but Django's own log, which asks no database."""
    return len(tasks_api.task_started.receivers) > 1 or len(tasks_api.task_finished.receivers) > 1


def at_once(tell: Callable[..., None]) -> Callable[..., Awaitable[None]]:
    """In the place of `sync_to_async`, for what may run on the loop."""

    async def told(*args: Any) -> None:
        tell(*args)

    return told
