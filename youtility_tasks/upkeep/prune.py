"""Removes what is past its retention: days of the history, single attempts, what others left in the queue, gone workers, redrives."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from youtility_tasks import queries
from youtility_tasks.conf import settings
from youtility_tasks.status import Outcome

BATCH = 20_000
"""Rows of a kind that one transaction removes: about half a second's work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What may go; None means any. With an outcome, a task or a tenant only single attempts go, no days and no redrives."""

    keep_days: int | None = None
    """For everything alike. None: what the settings say for each outcome and task."""
    outcome: Outcome | None = None
    task_name: str | None = None
    tenant_id: int | None = None

    @property
    def is_of_everything(self) -> bool:
        """Whether more than attempts may go."""
        return self.outcome is None and self.task_name is None and self.tenant_id is None

    @property
    def redrive_days(self) -> int:
        """So many whole UTC days redrives are kept after their end."""
        return settings().redrive_retention_days if self.keep_days is None else self.keep_days

    @property
    def is_all(self) -> bool:
        """Not only single attempts."""
        return self.outcome is None and self.task_name is None and self.tenant_id is None

    def retention(self) -> dict[str, Any]:
        """Days by outcome and by task, as the database's functions take them."""
        if self.keep_days is not None:
            return {"days": self.keep_days}
        return {
            "days": settings().history_retention_days,
            "by_outcome": dict(settings().retention_days_by_outcome or {}),
            "by_task": dict(settings().retention_days_by_task or {}),
        }


@dataclass(frozen=True, slots=True)
class Removed:
    """What went, or would go. Attempts of a job that is still in its queue stay, however old, as do dead letters."""

    days: dict[date, dict[str, int]]
    """Days of the history that are dropped whole, each with its attempts by outcome."""
    attempts: dict[str, int]
    """Single attempts of other days, by outcome."""
    jobs: dict[str, int]
    """Rows that a stock worker had finished and left in the queue, by status."""
    workers: dict[str, int]
    """Worker processes that are gone, by status."""
    redrives: int
    """Redrives that had ended."""
    postponed: list[date]
    """Days whose lock was not to be had within a second; the next run takes them."""
    is_all: bool = True
    """Nothing more is due; False when the limit of the run was reached first."""

    @property
    def attempt_count(self) -> int:
        """All attempts that went, with their day or singly."""
        return sum(sum(each.values()) for each in self.days.values()) + sum(self.attempts.values())

    @property
    def count(self) -> int:
        """Everything that went, an empty day counted as one."""
        rows = sum(self.jobs.values()) + sum(self.workers.values()) + self.redrives
        return self.attempt_count + len(self.days) + rows


def would_remove(now: datetime, scope: Scope | None = None) -> Removed:
    """What `remove_old` with the same `now` would remove, if nothing ends or is discarded meanwhile."""
    return _sum([_call(now, scope or Scope(), dry_run=True, batch=BATCH)])


def remove_old(
    now: datetime,
    scope: Scope | None = None,
    *,
    batch: int = BATCH,
    most_calls: int | None = None,
    leave: Callable[[], bool] = lambda: False,
) -> Removed:
    """Remove what is past its retention, a transaction a batch, until nothing is left or `most_calls` were made.

    Two may run at once; stopped in the middle, the next call goes on. `leave` is asked between two batches.
    """
    calls: list[list[tuple[Any, ...]]] = []
    while most_calls is None or len(calls) < most_calls:
        rows = _call(now, scope or Scope(), dry_run=False, batch=batch)
        calls.append(rows)
        if all(kind == "postponed" for kind, *_ in rows):
            return _sum(calls)
        if leave():
            break
    return _sum(calls, is_all=False)


def _call(now: datetime, scope: Scope, *, dry_run: bool, batch: int) -> list[tuple[Any, ...]]:
    rows = queries.fetch(
        "cleanup_old_tasks",
        {
            "retention": json.dumps(scope.retention(), sort_keys=True),
            "dry_run": dry_run,
            "most": batch,
            "now": now,
            "outcome": scope.outcome,
            "task_name": scope.task_name,
            "tenant_id": scope.tenant_id,
        },
    )
    redrives = _redrives(now, scope, dry_run=dry_run, batch=batch) if scope.is_of_everything else 0
    return [*rows, ("redrives", None, "", redrives)] if redrives else rows


def _redrives(now: datetime, scope: Scope, *, dry_run: bool, batch: int) -> int:
    old = {"now": now, "days": scope.redrive_days}
    if not dry_run:
        return queries.run("prune_redrives", {**old, "most": batch})
    ((count,),) = queries.fetch("old_redrives", old)
    return int(count)


def _sum(calls: Iterable[list[tuple[Any, ...]]], *, is_all: bool = True) -> Removed:
    calls = list(calls)
    redrives = sum(count for rows in calls for kind, _, _, count in rows if kind == "redrives")
    made = Removed({}, {}, {}, {}, redrives, [], is_all)
    by_kind = {"attempts": made.attempts, "jobs": made.jobs, "workers": made.workers}
    for kind, day, name, count in (row for rows in calls for row in rows):
        if kind == "postponed":
            if day not in made.postponed:
                made.postponed.append(day)
        elif kind == "day":
            made.days.setdefault(day, {}).update({name: count} if name else {})
        elif kind != "redrives":
            by_kind[kind][name] = by_kind[kind].get(name, 0) + count
    return made
