"""How schedules, their occurrences and holidays are shown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from youtility_tasks.documents import schedules as documents
from youtility_tasks.models import ScheduledTask, ScheduledTaskExecution, ScheduleHoliday
from youtility_tasks.models.schedules import Days, Kind, Missed
from youtility_tasks.schedules import editing
from youtility_tasks.schedules.upcoming import Upcoming

from .answer import Answer, span, table


def listing(rows: Sequence[ScheduledTask], now: datetime) -> Answer:
    """All of them."""
    lines = [
        (
            row.name,
            row.tenant_id or "sweeps",
            row.task_name,
            _when(row),
            row.zone or "tenant's",
            _policies(row),
            "paused" if editing.is_paused(row, now) else row.next_at or "never",
            row.version,
        )
        for row in rows
    ]
    headings = ("schedule", "tenant", "task", "when", "zone", "policies", "next (UTC)", "version")
    page = table(
        headings,
        lines,
        empty="No schedules: `schedule add NAME --task TASK --cron '0 2 * * *'`, or `setup_task_queue`.",
    )
    return Answer({"schedules": [documents.schedule(row, now) for row in rows]}, [page])


def one(
    row: ScheduledTask, now: datetime, occurrences: Sequence[ScheduledTaskExecution], coming: Sequence[Upcoming]
) -> Answer:
    """One, with its last ticks and the next."""
    state = ""
    if editing.is_paused(row, now):
        until = f" until {row.paused_until:%Y-%m-%d %H:%M:%SZ}" if row.paused_until else ""
        state = f" It is paused{until} by {row.paused_by}{f': {row.pause_reason}' if row.pause_reason else ''}."
    head = f"{row}: {row.task_name}, {_when(row)}, {_policies(row)}; version {row.version}.{state}"
    past = upcoming_table(coming), _past(occurrences)
    return Answer(
        {
            "schedule": documents.schedule(row, now),
            "next": [documents.coming(each) for each in coming],
            "occurrences": [documents.occurrence(each) for each in occurrences],
        },
        [head, *past],
    )


def upcoming(coming: Sequence[Upcoming]) -> Answer:
    """What comes next."""
    return Answer({"next": [documents.coming(each) for each in coming]}, [upcoming_table(coming)])


def upcoming_table(coming: Sequence[Upcoming]) -> Any:
    """The next ticks with their wall times."""
    lines = [
        (
            each.tick,
            f"{each.wall:%a %Y-%m-%d %H:%M:%S} {each.wall:%Z}",
            each.starts_at if each.starts_at != each.tick else "",
            f"skipped, {each.skipped.value}: {each.detail}" if each.skipped else "fires",
        )
        for each in coming
    ]
    return table(("next (UTC)", "on its clock", "starts", ""), lines, empty="It never fires again.")


def holidays(days: Iterable[ScheduleHoliday]) -> Answer:
    """The days off."""
    found = list(days)
    lines = [(str(each.day), each.name, each.site_id if each.site_id is not None else "all") for each in found]
    return Answer(
        {"holidays": [documents.holiday(each) for each in found]},
        [table(("day", "holiday", "site"), lines, empty="No holidays.")],
    )


def _past(occurrences: Sequence[ScheduledTaskExecution]) -> Any:
    lines = [
        (
            each.tick_at,
            "by hand" if each.by_hand else each.outcome,
            each.job_id or "",
            f"{each.get_reason_display()}: {each.detail}" if each.reason else "",
            each.version,
        )
        for each in occurrences
    ]
    return table(("tick (UTC)", "outcome", "job", "why not", "version"), lines, empty="It has had no tick yet.")


def _when(row: ScheduledTask) -> str:
    match row.kind:
        case Kind.CRON:
            when = row.cron
        case Kind.INTERVAL:
            when = f"every {span(row.every_s)}"
        case _:
            when = f"once at {row.at:%Y-%m-%d %H:%M:%S}Z"
    quiet = f", quiet {row.quiet_from:%H:%M}-{row.quiet_to:%H:%M}" if row.quiet_from and row.quiet_to else ""
    days = "" if row.days == Days.EVERY else f", {Days(row.days).label}"
    until = f", until {row.until:%Y-%m-%d %H:%M:%S}Z" if row.until else ""
    return f"{when}{days}{quiet}{until}"


def _policies(row: ScheduledTask) -> str:
    missed = f"all:{row.missed_most}" if row.missed == Missed.ALL else row.missed
    jitter = f", jitter {span(row.jitter_s)}" if row.jitter_s else ""
    expire = f", expires after {span(row.expire_s)}" if row.expire_s else ""
    return f"missed {missed}, overlap {row.overlap}{jitter}{expire}"
