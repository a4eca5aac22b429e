"""Our backend where Django's tests name DummyBackend or ImmediateBackend: what those two offer beside a backend's own.

Their tests look at DummyBackend's list of results and empty it, and ask ImmediateBackend for a task's end in the same breath.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from django.db import connections

from youtility_tasks.backends import ProcrastinateBackend
from youtility_tasks.models import Job
from youtility_tasks.testing import run_jobs

Seen = TypeVar("Seen")


def looked(see: Callable[[], Seen]) -> Seen:
    """In a thread of its own where a test looks from inside a coroutine: Django allows no query there."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return see()

    def look() -> Seen:
        try:
            return see()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(look).result()


class Waiting(ProcrastinateBackend):
    """In DummyBackend's place: no worker, so that jobs stay as they were enqueued."""

    @property
    def results(self) -> list[Any]:
        return looked(lambda: [self.get_result(str(job.pk)) for job in Job.objects.order_by("pk")])

    def clear(self) -> None:
        looked(Job.objects.all().delete)


class Running(ProcrastinateBackend):
    """In ImmediateBackend's place: every job is claimed, run and finished by the workers' own statements at once."""

    def enqueue(self, task: Any, args: Any, kwargs: Any) -> Any:
        result = super().enqueue(task, args, kwargs)
        run_jobs()
        return self.get_result(result.id)
