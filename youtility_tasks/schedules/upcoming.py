"""What a schedule would do next, without doing it."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from youtility_tasks import metrics
from youtility_tasks.models import ScheduledTask
from youtility_tasks.models.schedules import Reason

from . import clock, definition, editing, firing, jitter
from .reading import read

MOST = 1_000


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


def preview(name: str, n: int = 5, **said: Any) -> list[Upcoming]:
    """The next `n` ticks of a schedule, as it is or as it would be with these changes; changes nothing."""
    row = editing.get(name)
    with firing.tenant_of(row.tenant_id):
        if said:
            definition.apply(row, said)
            definition.check(row, metrics.database_clock())
        return _of(row, n)


def preview_new(task: str, n: int = 5, *, name: str = "preview", **said: Any) -> list[Upcoming]:
    """The next `n` ticks of a schedule that `create` would make with these words. Raises what it would raise."""
    with editing.acting() as (tenant_id, now):
        row = ScheduledTask(tenant_id=tenant_id, name=name, at=now.replace(microsecond=0))
        definition.apply(row, {"task": task, **said})
        definition.check(row, now)
        return _of(row, n)


def _of(row: ScheduledTask, n: int) -> list[Upcoming]:
    reading = read(row)
    found = []
    for tick in itertools.islice(clock.ticks(reading.rule, metrics.database_clock()), min(n, MOST)):
        why = reading.excuse(tick)
        starts_at = tick + jitter.delay(row.pk or 0, tick, row.jitter_s)
        found.append(Upcoming(tick, reading.rule.wall(tick), starts_at, *(why or (None, ""))))
    return found
