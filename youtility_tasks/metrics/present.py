"""The numbers of the queues as they stand."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from youtility_tasks import queries, queues


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


def queue_numbers(*, tenant_id: int | None = None) -> list[QueueNumbers]:
    """Every configured queue, and any other that holds jobs, by name; of one tenant or of all."""
    found = {row[0]: QueueNumbers(*row) for row in queries.fetch("queue_numbers", {"tenant_id": tenant_id})}
    return [found.get(name, QueueNumbers(name)) for name in sorted(found.keys() | queues.configured().keys())]


def database_clock() -> datetime:
    """The time by which the queue is run: the database's, not this host's."""
    now: datetime = queries.fetch("database_clock", {})[0][0]
    return now
