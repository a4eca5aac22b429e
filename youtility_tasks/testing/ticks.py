"""Schedules without a worker: what would fire in a span of time, and firing what is due at an instant."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db import transaction

from youtility_tasks import metrics
from youtility_tasks.conf import settings
from youtility_tasks.models import ScheduledTask
from youtility_tasks.schedules import clock as rules
from youtility_tasks.schedules import firing
from youtility_tasks.schedules.reading import read
from youtility_tasks.tenants import current_tenant

from . import clock, drain

MOST = 10_000


@dataclass(frozen=True, slots=True)
class Due:
    """One tick of one schedule."""

    at: datetime
    """In UTC."""
    name: str
    tenant_id: int


def would_fire(after: datetime, until: datetime, *names: str) -> list[Due]:
    """The ticks in (after, until] that schedules would fire, in order; changes nothing.

    Of the current tenant, or of all; of these schedules, or of all. Pauses, holidays and quiet hours are left out; whether the job
    before has ended then (overlap) nobody knows. Raises AssertionError past 10,000.
    """
    found: list[Due] = []
    for row in _schedules(*names):
        with firing.tenant_of(row.tenant_id):
            reading = read(row)
            within = itertools.takewhile(lambda tick: tick <= until, rules.ticks(reading.rule, after))
            for tick in within:
                if reading.excuse(tick) is None:
                    found.append(Due(tick, row.name, row.tenant_id))
                if len(found) > MOST:
                    raise AssertionError(f"More than {MOST} ticks; ask for a shorter span, or for one schedule.")
    return sorted(found, key=lambda due: (due.at, due.tenant_id, due.name))


def run_due(at: datetime | None = None, *names: str) -> list[int]:
    """Fire what is due at an instant (now, or as the frozen clock stands, which is moved there) and run all jobs that are due; the
    ids of the jobs that ticks made.

    Of the current tenant, or of all. A schedule counts from when it was made: make it inside `frozen` for instants of the past. What was
    due since then is settled as by a worker that was away until now: the last tick fires, of the others what `missed` says.
    """
    made = fire_due(at, *names)
    drain.run_jobs()
    return made


def fire_due(at: datetime | None = None, *names: str) -> list[int]:
    """As `run_due`, and runs nothing."""
    frozen = clock.current()
    if at is None:
        at = metrics.database_clock()
    elif frozen is not None:
        frozen.move_to(at)
    made: list[int] = []
    for row in _schedules(*names):
        if row.next_at is not None and row.next_at <= at:
            made += _fire(row, at)
    return made


def next_tick() -> datetime | None:
    """When the next schedule is due; None if none is."""
    return min((row.next_at for row in _schedules() if row.next_at is not None), default=None)


def _fire(seen: ScheduledTask, at: datetime) -> list[int]:
    with firing.tenant_of(seen.tenant_id), transaction.atomic(using=settings().database):
        row = ScheduledTask.objects.using(settings().database).select_for_update().get(pk=seen.pk)
        settled, next_at = firing.settle(row, at.astimezone(UTC))
        firing.look_next(row, at, next_at)
    return settled.fired


def _schedules(*names: str) -> list[ScheduledTask]:
    rows = ScheduledTask.objects.using(settings().database).there().order_by("next_at", "pk")
    tenant_id = current_tenant()
    if tenant_id is not None:
        rows = rows.for_tenant(tenant_id)
    found = list(rows.filter(name__in=names) if names else rows)
    missing = sorted(set(names) - {row.name for row in found})
    if missing:
        raise AssertionError(f"No schedule is called {missing[0]!r}; there are: {', '.join(_all_names()) or 'none'}.")
    return found


def _all_names() -> list[str]:
    return [row.name for row in _schedules()]
