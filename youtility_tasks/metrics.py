"""The numbers of the queues now, and of the attempts that ended lately; percentiles are computed only here."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from . import queries, queues

HOUR_S = 3_600


@dataclass(frozen=True, slots=True)
class QueueNumbers:
    """One queue now. `todo` are due, `scheduled` wait for their time; a job is counted in one of the four."""

    queue_name: str
    todo: int = 0
    doing: int = 0
    scheduled: int = 0
    failed: int = 0
    """Dead letters."""
    oldest_s: float = 0.0
    """How long the oldest due job has been waiting since it was due, in seconds; 0 when none waits."""


@dataclass(frozen=True, slots=True)
class Performance:
    """Attempts that ended in a span of time: of everything, of a queue, or of one task on a queue (the names say which)."""

    queue_name: str | None
    task_name: str | None
    attempt_count: int
    succeeded_count: int
    retried_count: int
    failed_count: int
    """Attempts that made their job a dead letter."""
    wait_p50_ms: float | None
    wait_p95_ms: float | None
    run_p50_ms: float | None
    run_p95_ms: float | None


@dataclass(frozen=True, slots=True)
class LastError:
    """The latest attempt of a task that failed."""

    task_name: str
    job_id: int
    error_class: str
    at: datetime


def queue_numbers(*, tenant_id: int | None = None) -> list[QueueNumbers]:
    """Every configured queue, and any other that holds jobs, by name; of one tenant or of all."""
    found = {row[0]: QueueNumbers(*row) for row in queries.fetch("queue_numbers", {"tenant_id": tenant_id})}
    return [found.get(name, QueueNumbers(name)) for name in sorted(found.keys() | queues.configured().keys())]


def performance(*, tenant_id: int | None = None, seconds: float = HOUR_S) -> list[Performance]:
    """What ended in the last seconds: first the sum of all, then by queue, each queue before its tasks."""
    rows = queries.fetch("performance", {"tenant_id": tenant_id, "seconds": seconds})
    return [Performance(*row) for row in rows]


def last_errors(task_names: Collection[str], *, tenant_id: int | None = None) -> dict[str, LastError]:
    """Of each task that failed among its last 500 attempts of a day the latest failure; of one tenant or of all."""
    rows = queries.fetch("last_errors", {"task_names": list(task_names), "tenant_id": tenant_id})
    return {row[0]: LastError(*row) for row in rows}


def database_clock() -> datetime:
    """The time by which the queue is run: the database's, not this host's."""
    now: datetime = queries.fetch("database_clock", {})[0][0]
    return now
