"""The numbers of the queues as they stand."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Mapping
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

    def __add__(self, other: QueueNumbers) -> QueueNumbers:
        """Those of both, under the name of the first."""
        return QueueNumbers(
            self.queue_name, self.todo + other.todo, self.doing + other.doing, self.scheduled + other.scheduled, self.failed + other.failed,
            max(self.oldest_s, other.oldest_s),
        )  # fmt: skip


def queue_numbers(*, tenant_id: int | None = None) -> list[QueueNumbers]:
    """Every configured queue, and any other that holds jobs, by name; of one tenant or of all."""
    return _every(QueueNumbers(*row) for row in queries.fetch("queue_numbers", {"tenant_id": tenant_id}))


LIVE_MS = 30.0
"""While counting takes no longer, a page counts for itself."""


def glance(*, tenant_id: int | None = None) -> list[QueueNumbers]:
    """As `queue_numbers`, for a page: one query that stays short beside a million jobs, for what upkeep counted lately is read then."""
    return _every(its for _, its in _counted(tenant_id, by_tenant=False))


def glance_by_tenant() -> dict[int, list[QueueNumbers]]:
    """The same of each tenant that has any job (0: the sweeps)."""
    found: dict[int, list[QueueNumbers]] = {}
    for owner, its in _counted(None, by_tenant=True):
        found.setdefault(owner, []).append(its)
    return found


def of_all(by_tenant: Mapping[int, Iterable[QueueNumbers]]) -> list[QueueNumbers]:
    """`glance` of what `glance_by_tenant` found."""
    return _every(itertools.chain.from_iterable(by_tenant.values()))


def _every(found: Iterable[QueueNumbers]) -> list[QueueNumbers]:
    """Added up by queue, with the configured ones that hold nothing."""
    every = {name: QueueNumbers(name) for name in queues.configured()}
    for each in found:
        every[each.queue_name] = every.get(each.queue_name, QueueNumbers(each.queue_name)) + each
    return [every[name] for name in sorted(every)]


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
