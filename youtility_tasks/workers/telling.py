"""What a task's context and Django's signals are told of an attempt as it begins and ends."""

from __future__ import annotations

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


def succeeded(backend: type[tasks_api.BaseTaskBackend], fields: Fields, returned: Any) -> None:
    """Send `task_finished`, just before the end is reported."""
    _send(backend, {**fields, "status": tasks_api.TaskResultStatus.SUCCESSFUL, "_return_value": returned})


def failed(backend: type[tasks_api.BaseTaskBackend], fields: Fields, error_class: str, traceback: str) -> None:
    """Send `task_finished` of a job that is not tried again, inside the handler of its error."""
    errors = [*fields["errors"], tasks_api.TaskError(exception_class_path=error_class, traceback=traceback)]
    _send(backend, {**fields, "status": tasks_api.TaskResultStatus.FAILED, "errors": errors})


def _send(backend: type[tasks_api.BaseTaskBackend], fields: Fields) -> None:
    result = tasks_api.result_of_json({**fields, "finished_at": timezone.now()})
    tasks_api.task_finished.send(backend, task_result=result)
