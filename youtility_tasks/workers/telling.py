"""What a task's context and Django's signals are told of an attempt as it begins and ends."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from asgiref.sync import sync_to_async
from django.db import Error
from django.utils import timezone

from youtility_tasks import foreign, history, tasks_api
from youtility_tasks.declaration import Task

Fields = dict[str, Any]
"""Those of Django's TaskResult."""
Its = TypeVar("Its", bound="Attempt")


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


class Attempt(Protocol):
    """What `run.Run` tells of itself here."""

    stored_result: Any


@dataclass(frozen=True, slots=True)
class Listeners(Generic[Its]):
    """Who connects to Django's signals, and what they are told of one attempt."""

    backend: type[tasks_api.BaseTaskBackend]
    fields: Fields
    attempt: Its
    final: Callable[[Its, BaseException], tuple[str, str, str] | None]
    """Class, message and traceback of an error that no other attempt will follow; None of others."""

    @contextlib.contextmanager
    def told(self) -> Iterator[None]:
        """Send the signals around the run of a task; the last one only of an attempt that no other will follow."""
        self._started()
        try:
            yield
        except BaseException as error:
            self._raised(error)
            raise
        self._returned()

    @contextlib.asynccontextmanager
    async def told_of_async(self) -> AsyncIterator[None]:
        """As `told`; who listens may ask the database, which Django allows in a thread only."""
        tell = sync_to_async if has_listeners() else _at_once
        await tell(self._started)()
        try:
            yield
        except BaseException as error:
            await tell(self._raised)(error)
            raise
        await tell(self._returned)()

    def _started(self) -> None:
        tasks_api.task_started.send(self.backend, task_result=tasks_api.result_of_json(self.fields))

    def _returned(self) -> None:
        self._finished(status=tasks_api.TaskResultStatus.SUCCESSFUL, _return_value=self.attempt.stored_result)

    def _raised(self, error: BaseException) -> None:
        final = self.final(self.attempt, error)
        if final is not None:
            told = tasks_api.TaskError(exception_class_path=final[0], traceback=final[2])
            self._finished(status=tasks_api.TaskResultStatus.FAILED, errors=[*self.fields["errors"], told])

    def _finished(self, **more: Any) -> None:
        result = tasks_api.result_of_json({**self.fields, "finished_at": timezone.now(), **more})
        tasks_api.task_finished.send(self.backend, task_result=result)


def has_listeners() -> bool:
    """Whether anybody listens but Django's own log, which asks no database."""
    return len(tasks_api.task_started.receivers) > 1 or len(tasks_api.task_finished.receivers) > 1


def _at_once(tell: Callable[..., None]) -> Callable[..., Awaitable[None]]:
    async def told(*args: Any) -> None:
        tell(*args)

    return told
