"""Deletes what is older than its retention: ended attempts, and worker processes that are gone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from youtility_tasks import queries
from youtility_tasks.conf import settings
from youtility_tasks.models import TaskWorker
from youtility_tasks.models.workers import WorkerQuerySet
from youtility_tasks.status import Outcome

BATCH = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Which attempts may go; None means any."""

    keep_days: int | None = None
    """None: `history_retention_days` of the settings."""
    outcome: Outcome | None = None
    task_name: str | None = None
    tenant_id: int | None = None

    def before(self, now: datetime) -> datetime:
        """Attempts that ended earlier than this may go."""
        return now - timedelta(days=settings().history_retention_days if self.keep_days is None else self.keep_days)


def prune_history(now: datetime, scope: Scope | None = None, *, batch: int = BATCH) -> int:
    """Delete attempts past their retention, a transaction a batch; how many went.

    Attempts of a job that is still in its queue stay, however old: a dead letter keeps all of them until somebody
    retries or discards it. Two may run at once; stopped in the middle, the next call goes on.
    """
    wanted = {**_parameters(now, scope or Scope()), "batch": batch}
    total = 0
    while True:
        deleted = queries.run("prune_history", wanted)
        total += deleted
        if deleted < batch:
            return total


def count_prunable(now: datetime, scope: Scope | None = None) -> int:
    """How many attempts `prune_history` would delete."""
    count: int = queries.fetch("count_prunable", _parameters(now, scope or Scope()))[0][0]
    return count


def prune_workers(now: datetime) -> int:
    """Forget worker processes that ended longer ago than the history reaches; how many."""
    return _gone(now).delete()[0]


def count_prunable_workers(now: datetime) -> int:
    """How many worker processes `prune_workers` would forget."""
    return _gone(now).count()


def _gone(now: datetime) -> WorkerQuerySet:
    return TaskWorker.objects.filter(stopped_at__lt=Scope().before(now))


def _parameters(now: datetime, scope: Scope) -> dict[str, Any]:
    return {
        "before": scope.before(now),
        "outcome": scope.outcome,
        "task_name": scope.task_name,
        "tenant_id": scope.tenant_id,
    }
