"""The two tasks of the bench."""

from __future__ import annotations

from typing import Any

from youtility_tasks import queues, task
from youtility_tasks.bench.peers import speak


@task(name="bench_noop", queue_name=queues.HIGH_PRIORITY)
def noop(*, a: int, b: str, c: list[Any]) -> None:
    """Nothing."""


@task(name="bench_mark", queue_name=queues.HIGH_PRIORITY)
def mark(*, path: str, sent: float) -> None:
    """Write down when this line ran."""
    speak.note(path, sent)
