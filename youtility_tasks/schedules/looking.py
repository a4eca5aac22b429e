"""Schedules as people look at them: what needs somebody first, the last runs, what has been edited. Changes nothing."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from youtility_tasks import queries, registry
from youtility_tasks.conf import settings
from youtility_tasks.errors import UnknownSchedule
from youtility_tasks.models import ScheduledTask, ScheduledTaskExecution, TaskAuditLog
from youtility_tasks.models.schedules import TENANTS_OWN, ScheduleQuerySet
from youtility_tasks.tenancy import roles

MOST_RUNS = 60


class State(IntEnum):
    """How a schedule stands; a smaller one needs somebody sooner."""

    LATE = 0
    """Its tick was due a minute ago, and nobody has looked at it."""
    FAILING = 1
    """The job of its last run is a dead letter."""
    SKIPPING = 2
    """Its last tick was passed over, and nobody has meant it to be."""
    PAUSED = 3
    FINE = 4
    OVER = 5
    """No tick is to come."""

    @property
    def word(self) -> str:
        """In addresses."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which schedules; None means any."""

    tenant_id: int | None = None
    task_name: str | None = None
    queue_name: str | None = None
    states: Collection[State] | None = None
    named: str | None = None
    """A part of the name."""
    after: tuple[int, int] | None = None
    """State and id of the last one of the page before."""


@dataclass(frozen=True, slots=True)
class Line:
    """One schedule with its last tick."""

    row: ScheduledTask
    state: State
    zone: str
    tick_at: datetime | None
    outcome: str | None
    reason: str | None
    fired_at: datetime | None
    job_id: int | None
    job_status: str | None
    """While its job is in the queue, also as a dead letter; None once it has ended otherwise."""


@dataclass(frozen=True, slots=True)
class Ran:
    """One occurrence, and what became of its job."""

    tick_at: datetime
    outcome: str
    reason: str
    job_id: int | None
    job_status: str | None
    """None: there is none, or nothing is known of it any more."""
    tick_count: int

    @property
    def shown(self) -> str:
        """In one word: skipped, failed, doing, succeeded, ..., or fired."""
        return "skipped" if self.outcome == "skipped" else self.job_status or "fired"


def lines(wanted: Wanted, *, limit: int) -> list[Line]:
    """At most `limit` schedules, what needs somebody first, then by name. Two queries."""
    of_queue = [each.name for each in registry.registered().values() if each.queue_name == wanted.queue_name]
    rank, last = wanted.after or (None, None)
    parameters = {
        "tenant_id": wanted.tenant_id,
        "task_name": wanted.task_name,
        "queue_name": wanted.queue_name,
        "tasks_of_queue": of_queue,
        "named": wanted.named,
        "ranks": None if wanted.states is None else [int(each) for each in wanted.states],
        "after_rank": rank,
        "after_id": last,
        "most": limit,
    }
    found = queries.fetch("schedule_lines", parameters)
    rows = readable().in_bulk([each[0] for each in found])
    return [
        Line(rows[pk], State(rank), zone, tick_at, outcome, reason, fired_at, job_id, job_status)
        for pk, rank, zone, tick_at, outcome, reason, _, fired_at, job_id, job_status in found
        if pk in rows
    ]


def runs(schedule_ids: Sequence[int], *, most: int = MOST_RUNS) -> dict[int, list[Ran]]:
    """The last occurrences of each of these schedules, oldest first. One query."""
    found: dict[int, list[Ran]] = {each: [] for each in schedule_ids}
    if schedule_ids:
        for pk, *rest in queries.fetch("schedule_runs", {"schedule_ids": list(schedule_ids), "most": most}):
            found[pk].append(Ran(*rest))
    return found


def find(schedule_id: int, tenant_id: int | None) -> ScheduledTask:
    """The schedule of this id, also one that was removed. Raises UnknownSchedule."""
    found = readable().for_tenant(tenant_id).filter(pk=schedule_id).first()
    if found is None:
        raise UnknownSchedule(schedule_id, f"tenant {tenant_id}" if tenant_id else "anybody here", ())
    return found


def occurrences(row: ScheduledTask, *, before: datetime | None, limit: int) -> list[ScheduledTaskExecution]:
    """What became of its ticks before an instant, the latest first."""
    found = ScheduledTaskExecution.objects.using(settings().database).for_tenant(row.tenant_id).of_schedule(row.pk)
    if before is not None:
        found = found.filter(tick_at__lt=before)
    if roles.acting_as() == "ops":
        found = found.defer("detail")
    return list(found.order_by("-tick_at")[:limit])


def edits(row: ScheduledTask, *, limit: int = 20) -> list[TaskAuditLog]:
    """Who has changed it, paused it or run it by hand, the latest first."""
    found = TaskAuditLog.objects.using(settings().database).of_schedule(row.tenant_id, str(row))
    return list(found.order_by("-pk")[:limit])


def readable() -> ScheduleQuerySet:
    """Schedules, without what an operator may not read."""
    rows = ScheduledTask.objects.using(settings().database).all()
    return rows.defer(*TENANTS_OWN) if roles.acting_as() == "ops" else rows
