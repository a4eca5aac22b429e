"""The numbers of the queues as they stand."""

from __future__ import annotations

from collections.abc import Collection
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


LIVE_MS = 30.0
"""While counting takes no longer, a page counts for itself."""


def glance(*, tenant_id: int | None = None) -> list[QueueNumbers]:
    """As `queue_numbers`, for a page: one query that stays short beside a million jobs, for what upkeep counted lately is read then."""
    found = {each.queue_name: each for _, each in _counted(tenant_id, by_tenant=False)}
    return [found.get(name, QueueNumbers(name)) for name in sorted(found.keys() | queues.configured().keys())]


def glance_by_tenant() -> dict[int, list[QueueNumbers]]:
    """The same of each tenant that has any job (0: the sweeps)."""
    found: dict[int, list[QueueNumbers]] = {}
    for owner, its in _counted(None, by_tenant=True):
        found.setdefault(owner, []).append(its)
    return found


def _counted(tenant_id: int | None, *, by_tenant: bool) -> list[tuple[int, QueueNumbers]]:
    rows = queries.fetch("glance", {"tenant_id": tenant_id, "live_ms": LIVE_MS, "by_tenant": by_tenant})
    return [(owner, QueueNumbers(*numbers)) for owner, *numbers in rows]


@dataclass(frozen=True, slots=True)
class LastError:
    """The latest attempt of a task that failed."""

    task_name: str
    job_id: int
    error_class: str
    at: datetime


def last_errors(task_names: Collection[str], *, tenant_id: int | None = None) -> dict[str, LastError]:
    """Of each task that failed within a day the latest failure; of one tenant or of all."""
    rows = queries.fetch("last_errors", {"task_names": list(task_names), "tenant_id": tenant_id})
    return {row[0]: LastError(*row) for row in rows}


def database_clock() -> datetime:
    """The time by which the queue is run: the database's, not this host's."""
    now: datetime = queries.fetch("database_clock", {})[0][0]
    return now
