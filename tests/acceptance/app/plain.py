"""Tasks as a Django package declares them that has never heard of us, and as it listens to Django's signals."""

import functools
import os
from typing import Any

import django

from . import diary

if django.VERSION < (6, 0):
    from django_tasks import TaskContext, task
    from django_tasks.signals import task_enqueued, task_finished, task_started
else:
    from django.tasks import TaskContext, task
    from django.tasks.signals import task_enqueued, task_finished, task_started


@task(priority=50)
def joins(first: str, *more: str, end: str = "") -> str:
    return "-".join([first, *more]) + end


@task()
async def joins_async(first: str, second: str) -> str:
    return f"{first}-{second}"


@task(takes_context=True)
def tells(context: TaskContext, word: str) -> Any:
    return [context.attempt, *_told(context.task_result), word]


@task(takes_context=True)
async def tells_async(context: TaskContext, word: str) -> Any:
    return [context.attempt, *_told(context.task_result), word]


@task()
def pairs() -> Any:
    return {"pair": (1, b"two")}


@task()
def returns_what_is_no_json() -> Any:
    return lambda: True


@task()
def breaks(word: str) -> None:
    raise LookupError(word)


def opened(function: Any) -> Any:
    """A decorator whose function takes less than it shows."""

    @functools.wraps(function)
    def open_first(word: str) -> Any:
        return function("opened", word)

    return open_first


@task()
@opened
def reads(file: str, word: str) -> str:
    return f"{file} {word}"


def _told(result: Any) -> list[Any]:
    known = (result.enqueued_at, result.started_at, result.last_attempted_at)
    return [result.id, result.status, all(known), len(result.worker_ids), result.task.priority, result.backend]


def _listens(signal: str) -> Any:
    def listen(sender: Any, task_result: Any, **kwargs: Any) -> None:
        if "TEST_DIARY" not in os.environ or not task_result.task.module_path.startswith(__name__):
            return  # nobody reads it
        diary.write(
            "signal",
            signal=signal,
            sender=sender.__name__,
            told=_told(task_result),
            errors=[each.exception_class_path for each in task_result.errors],
            returned=task_result.return_value if task_result.status == "SUCCESSFUL" else None,
            is_finished=task_result.is_finished and task_result.finished_at is not None,
        )

    return listen


listeners = {name: _listens(name) for name in ("enqueued", "started", "finished")}
task_enqueued.connect(listeners["enqueued"])
task_started.connect(listeners["started"])
task_finished.connect(listeners["finished"])
