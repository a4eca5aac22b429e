"""Which reports come by themselves and when they are mailed (R-REP), and what becomes of those that people ask for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone

from task_catalog.company_day.definitions import CLIENTS, Client, Plan, midnight
from task_catalog.company_day.reporting import LAST_GENERATED_BEFORE, SCHEDULED, SEND_TIME, Scheduled

from .calendar import fires, sweeps
from .planning import Root

_LOOK_BACK = timedelta(days=63)
"""The fire before the latest one of a monthly cron is at most two months away."""


@dataclass(frozen=True, slots=True)
class Generated:
    """A scheduled report whose period was over at a run of the day."""

    client: Client
    report: Scheduled
    made_at: datetime
    has_data: bool
    mailed_at: datetime | None
    """None when there is nothing to mail, or the day is over before its hour."""


def generated(roots: dict[Plan, list[Root]], day: date) -> list[Generated]:
    """Every report that is due at some run of the day, in order of client and report."""
    found = []
    for client in CLIENTS:
        for report in SCHEDULED:
            last = midnight(day) - LAST_GENERATED_BEFORE
            for run in sweeps("create_scheduled_reports", day):
                begins, ends = _period(report, client, run)
                if last < ends <= run:
                    has_data = _has_data(roots, client, report, begins, ends, run)
                    mailed_at = _mailed_at(client, run, day) if has_data else None
                    found.append(Generated(client, report, run, has_data, mailed_at))
                    last = run
    return found


def _period(report: Scheduled, client: Client, run: datetime) -> tuple[datetime, datetime]:
    """First instant of the latest period that is over, and the first one after it."""
    if report.working_days:
        wall_clock = timezone(timedelta(minutes=client.offset_min))
        local = run.astimezone(wall_clock)
        monday = datetime.combine(local.date() - timedelta(days=local.weekday()), time.min, wall_clock)
        if monday + timedelta(days=report.working_days) > local:
            monday -= timedelta(days=7)
        return monday.astimezone(UTC), (monday + timedelta(days=report.working_days)).astimezone(UTC)
    past = fires(report.cron, client.offset_min, run - _LOOK_BACK, run + timedelta(minutes=1))
    return past[-2], past[-1]


def _has_data(
    roots: dict[Plan, list[Root]], client: Client, report: Scheduled, begins: datetime, ends: datetime, run: datetime
) -> bool:
    """Whether the first site has an occurrence planned in the period, and made before the run."""
    return any(
        begins <= root.planned_at < ends and root.made_at <= run
        for plan, of_plan in roots.items()
        if plan.client is client and plan.site == 0 and plan.kind.identifier == report.identifier
        for root in of_plan
    )


def _mailed_at(client: Client, made_at: datetime, day: date) -> datetime | None:
    wall_clock = timezone(timedelta(minutes=client.offset_min))
    hour = datetime.combine(made_at.astimezone(wall_clock).date(), SEND_TIME, wall_clock)
    return next((run for run in sweeps("send_generated_report_on_mail", day) if run >= max(made_at, hour)), None)
