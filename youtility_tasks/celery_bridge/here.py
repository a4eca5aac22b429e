"""Our side: a call becomes a job, or a run of a workflow, in the caller's transaction."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction

from youtility_tasks.conf import settings
from youtility_tasks.declaration import Task

from . import flows, ids, known, options, plain, positions, request, signals
from .request import HEADERS
from .results import AsyncResult


def send(task: Task, args: Any, kwargs: Any, said: Mapping[str, Any]) -> AsyncResult:
    """Enqueue one call. Raises a subclass of EnqueueError, and then nothing was written."""
    call = options.of_call(task, said, as_step=False)
    if call.links or call.errbacks:
        return send_canvas(flows.of_call(task, args, kwargs, said), (), {}, {})  # type: ignore[no-any-return]
    if known.of(task) is None:
        task.validate()
        given_args, given_kwargs = positions.by_name(task, args, kwargs)
        with _whole(call.celery_id):
            result = AsyncResult(call.task.enqueue(*given_args, **given_kwargs).id)
            if call.celery_id:
                ids.remember_job(call.celery_id, int(result.id), task.name)
        return _named(result, call.celery_id)
    headers = {**call.headers, **_family()}
    stored = {**plain.packed(dict(kwargs)), **({HEADERS: headers} if headers else {})}
    _tell(signals.before_task_publish, task, args, kwargs, headers, call)
    with _whole(call.celery_id):
        job = call.task.enqueue(*plain.packed(list(args)), **stored)
        if call.celery_id:
            ids.remember_job(call.celery_id, int(job.id), task.name)
    _tell(signals.after_task_publish, task, args, kwargs, {**headers, "id": call.celery_id or job.id}, call)
    return _named(AsyncResult(job.id), call.celery_id)


def send_canvas(
    canvas: Mapping[str, Any], args: Sequence[Any], kwargs: Mapping[str, Any], said: Mapping[str, Any]
) -> Any:
    """Start a canvas; see `flows.start`."""
    with transaction.atomic(using=settings().database):
        return flows.start(canvas, args, kwargs, said)


def _named(result: AsyncResult, celery_id: str) -> AsyncResult:
    return AsyncResult(celery_id) if celery_id else result


def _family() -> dict[str, Any]:
    """Of a call that a task makes: which task that is, and with which its family began."""
    around = request.innermost()
    return {} if around is None else {"root": around[1].root_id, "parent": around[1].id}


def _whole(celery_id: str) -> contextlib.AbstractContextManager[None]:
    """A job and its id are written together; a job alone is whole by itself."""
    return transaction.atomic(using=settings().database) if celery_id else contextlib.nullcontext()


def _tell(
    signal: signals.Signal, task: Task, args: Any, kwargs: Any, headers: Mapping[str, Any], call: options.Call
) -> None:
    signal.send(
        sender=task.name,
        body=(args, kwargs, {}),
        headers={"task": task.name, **headers},
        exchange="",
        routing_key=call.task.queue_name,
        properties={},
        declare=[],
        retry_policy={},
    )
