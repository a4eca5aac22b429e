"""When things fire: the sweeps of the day by UTC, the plans by the wall clock of their client."""

from __future__ import annotations

import functools
from datetime import UTC, date, datetime, timedelta, timezone

from croniter import croniter

from task_catalog.company_day.definitions import midnight

SWEEPS = {
    "create_ppm_job": "3 3,16 * * *",
    "create_job": "27 */8 * * *",
    "auto_close_jobs": "*/30 * * * *",
    "ticket_escalation": "5,35 * * * *",
    "send_reminder_email": "*/10 * * * *",
    "create_scheduled_reports": "22 */8 * * *",
    "send_generated_report_on_mail": "*/30 * * * *",
    "move_media_to_cloud_storage": "0 0 * * 1",
    "cleanup_expired_sessions_task": "0 2 * * *",
    "cleanup_reports_which_are_12hrs_old": "15 * * * *",
    "task_every_min": "* * * * *",
}
"""The scheduled tasks of the day (catalog.md 2.6), in UTC."""


def sweeps(task: str, day: date) -> list[datetime]:
    """The instants of the day at which a scheduled task runs."""
    start = midnight(day)
    return fires(SWEEPS[task], 0, start, start + timedelta(days=1))


@functools.cache
def _fires(cron: str, offset_min: int, start: datetime, end: datetime) -> tuple[datetime, ...]:
    wall_clock = timezone(timedelta(minutes=offset_min))
    first = start.astimezone(wall_clock).replace(tzinfo=None)
    last = end.astimezone(wall_clock).replace(tzinfo=None)
    found = []
    every = croniter(cron, first - timedelta(microseconds=1))
    while (local := every.get_next(datetime)) < last:
        found.append(local.replace(tzinfo=wall_clock).astimezone(UTC))
    return tuple(found)


def fires(cron: str, offset_min: int, start: datetime, end: datetime) -> list[datetime]:
    """Instants in [start, end) at which a cron of a fixed-offset wall clock fires, in UTC."""
    return list(_fires(cron, offset_min, start, end))


def local_date(instant: datetime, offset_min: int) -> date:
    """The date that a fixed-offset wall clock shows at an instant."""
    return (instant + timedelta(minutes=offset_min)).date()
