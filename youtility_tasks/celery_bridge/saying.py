"""`update_state`: how far an attempt is, kept with its job until that has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import transaction

from youtility_tasks import payload
from youtility_tasks.conf import settings
from youtility_tasks.errors import NotOfCelery
from youtility_tasks.queries import in_transaction

from . import plain
from .request import Request

if TYPE_CHECKING:
    from .task import Task

STATE, META, RETRY = "$state", "$meta", "$retry"
"""Keys of the checkpoint that a job of Celery's form keeps."""


def update(task: Task, task_id: str | None, state: str | None, meta: Any) -> None:
    """See `Task.update_state`."""
    now = task.request
    if task_id is not None and task_id != now.id:
        raise NotOfCelery(
            f"Task {task.name!r}: update_state(task_id={task_id!r}) of another task cannot be had here; instead, let that task say it."
        )
    if now.called_directly:
        raise NotOfCelery(
            f"Task {task.name!r}: update_state in a task that is called as a function; ask `self.request.called_directly` before."
        )
    now.state = (str(state), plain.packed(meta))
    if now.context is None:
        return
    _tell_people(now, state, meta)
    if in_transaction():
        transaction.on_commit(lambda: keep(now), using=settings().database)
    else:
        keep(now)


def keep(now: Request) -> None:
    """Write what was said last; durable when it returns."""
    if now.context is not None and now.state is not None:
        state, meta = now.state
        now.context.checkpoint({**now.kept, STATE: state, META: _fitting(meta)})


def _fitting(meta: Any) -> Any:
    return payload.clean(meta, max_bytes=60 * 1024)


def _tell_people(now: Request, state: str | None, meta: Any) -> None:
    """Celery's documentation calls them `current` and `total`; pages then draw a bar."""
    if now.context is not None and isinstance(meta, dict) and isinstance(meta.get("current"), int | float):
        now.context.progress(meta["current"], meta.get("total"), str(state))
