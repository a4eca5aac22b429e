"""Schedules, what they have done and will do, and holidays."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from youtility_tasks.models import ScheduledTask, ScheduledTaskExecution, ScheduleHoliday
from youtility_tasks.schedules import definition, editing
from youtility_tasks.schedules.upcoming import Upcoming

from .plain import instant


def schedule(row: ScheduledTask, now: datetime) -> dict[str, Any]:
    """One schedule: what it says, and how it goes on."""
    hidden = row.get_deferred_fields()  # of an operator, who sees no arguments
    said = definition.as_document(row, but_not=hidden)
    return {
        "id": row.pk,
        "name": row.name,
        "tenant": row.tenant_id,
        "task": said.pop("task_name"),
        **said,
        "version": row.version,
        "is_paused": editing.is_paused(row, now),
        "paused_until": instant(row.paused_until),
        "paused_by": row.paused_by or None,
        "next_at": instant(row.next_at),
        "changed_at": instant(row.changed_at),
        "changed_by": row.changed_by,
        "is_removed": row.removed_at is not None,
    }


def coming(each: Upcoming) -> dict[str, Any]:
    """A tick that is to come, in UTC and on the schedule's own clock."""
    return {
        "utc": instant(each.tick),
        "wall": each.wall.isoformat(),
        "starts_at": instant(each.starts_at),
        "skipped": each.skipped.value if each.skipped else None,
        "detail": each.detail,
    }


def occurrence(each: ScheduledTaskExecution) -> dict[str, Any]:
    """A tick that was, and what became of it."""
    return {
        "tick_at": instant(each.tick_at),
        "outcome": each.outcome,
        "reason": each.reason or None,
        "detail": None if "detail" in each.get_deferred_fields() else each.detail,
        "job": each.job_id,
        "version": each.version,
        "starts_at": instant(each.starts_at),
        "decided_at": instant(each.decided_at),
        "tick_count": each.tick_count,
        "by_hand": each.by_hand,
    }


def holiday(each: ScheduleHoliday) -> dict[str, Any]:
    """A day off."""
    return {"day": str(each.day), "name": each.name, "site": each.site_id}
