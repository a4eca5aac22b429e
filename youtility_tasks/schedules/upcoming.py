"""What a schedule would do next, without doing it."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from youtility_tasks import metrics
from youtility_tasks.models import ScheduledTask
from youtility_tasks.models.schedules import Reason

from . import clock, definition, editing, firing, jitter
from .reading import Reading, read

MOST = 1_000
_NONE, _DAY = timedelta(), timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Upcoming:
    """One tick that is to come."""

    tick: datetime
    """In UTC."""
    wall: datetime
    """The same instant on the schedule's own clock."""
    starts_at: datetime
    """The tick and its jitter."""
    skipped: Reason | None
    """Why it will be skipped, as far as that is known now."""
    detail: str
    clock: str = ""
    """How the zone's clock has changed since the tick before, or what it does to this one; mostly nothing."""


def preview(name: str, n: int = 5, **said: Any) -> list[Upcoming]:
    """The next `n` ticks of a schedule, as it is or as it would be with these changes; changes nothing."""
    row = editing.get(name)
    with firing.tenant_of(row.tenant_id):
        if said:
            definition.apply(row, said)
            definition.check(row, metrics.database_clock())
        return of(read(row), metrics.database_clock(), n)


def preview_new(task: str, n: int = 5, *, name: str = "preview", **said: Any) -> list[Upcoming]:
    """The next `n` ticks of a schedule that `create` would make with these words. Raises what it would raise."""
    with editing.acting() as (tenant_id, now):
        row = ScheduledTask(tenant_id=tenant_id, name=name, at=now.replace(microsecond=0))
        definition.apply(row, {"task": task, **said})
        definition.check(row, now)
        return of(read(row), metrics.database_clock(), n)


def of(reading: Reading, now: datetime, n: int = 5) -> list[Upcoming]:
    """The next `n` ticks after an instant of a schedule that was read already; of one that was removed there are none."""
    row = reading.schedule
    if row.removed_at is not None:
        return []
    found: list[Upcoming] = []
    for tick in itertools.islice(clock.ticks(reading.rule, now), min(n, MOST)):
        why = reading.excuse(tick)
        starts_at = tick + jitter.delay(row.pk or 0, tick, row.jitter_s)
        wall = reading.rule.wall(tick)
        before = found[-1].wall if found else reading.rule.wall(tick - _DAY)
        skipped, detail = why or (None, "")
        found.append(Upcoming(tick, wall, starts_at, skipped, detail, _clock_of(reading.rule, wall, before)))
    return found


def _clock_of(rule: clock.Rule, wall: datetime, before: datetime) -> str:
    """What a change of the zone's clock has to do with a tick, in words."""
    said = []
    ahead = (wall.utcoffset() or _NONE) - (before.utcoffset() or _NONE)
    if ahead:
        said.append(f"the clock has gone {'forward' if ahead > _NONE else 'back'} by {abs(ahead).seconds // 60} min")
    if isinstance(rule.timing, clock.Cron) and not clock.is_on_the_wall(rule.timing, wall):
        said.append("its time does not exist that day, so it fires as soon as there is one")
    elif wall.replace(fold=0).utcoffset() != wall.replace(fold=1).utcoffset():
        said.append(
            "its time comes twice that day, and it fires the first time"
            if not wall.fold
            else "the second of two such times"
        )
    return "; ".join(said)
