"""When a scheduled report is due, for which period, and when it is mailed (R-REP); pure functions of rows and `now`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum

from .cron import flaw, is_scheduled, occurrences
from .local_time import local

# How far back two fires are looked for, in days: a daily report is found in the first window, one of the 29th of
# February in the last.
_WINDOWS = (2, 70, 800, 20_000)
_MOST = 2_000_000
_WEEK = timedelta(days=7)
_MINUTE = timedelta(minutes=1)
_ONE_VALUE = re.compile(r"[^*?,/-]+")
_WORKING_DAYS = ("5", "6")


class BadSchedule(ValueError):
    """A schedule that no period can be read from; `reason` is a code for the result, the text is for people."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


class CronType(StrEnum):
    """How often a report comes; only WORKINGDAYS changes its period."""

    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"
    WORKINGDAYS = "workingdays"


@dataclass(frozen=True, slots=True)
class Period:
    """What a report covers: the instants (UTC) in [start, end)."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A scheduled report as the rules see one; `offset` is minutes east of UTC, the cron is in that wall clock."""

    cron: str
    offset: int
    workingdays: str = ""
    is_enabled: bool = True
    last_generated: datetime | None = None


def crontype(cron: str) -> CronType:
    """Which kind of schedule a cron of five fields is: decided by day, month and weekday (the last three)."""
    day, month, weekday = cron.split()[2:5]
    if all(field in ("*", "?") for field in (day, month, weekday)):
        return CronType.DAILY
    if day in ("*", "?") and _ONE_VALUE.fullmatch(weekday):
        return CronType.WEEKLY
    if weekday in ("*", "?") and _ONE_VALUE.fullmatch(day):
        return CronType.MONTHLY
    return CronType.WORKINGDAYS


def latest_period(schedule: Schedule, now: datetime) -> Period:
    """The last complete period at `now`: [F', F) of the last two fires, or the working days of the last week that is over.

    Raises BadSchedule: `bad_cron`, or `no_workingdays` for a schedule of working days that does not say how many.
    """
    wrong = flaw(schedule.cron)
    if wrong is not None:
        raise BadSchedule("bad_cron", wrong)
    if crontype(schedule.cron) is CronType.WORKINGDAYS:
        return _working_week(schedule, now)
    return _between_fires(schedule, now)


def due(schedule: Schedule, now: datetime) -> Period | None:
    """The period for which a report is to be made now, or None.

    Due once a period, whenever the sweep comes: the last generation lies before the period's end, or there was none.
    Blank crons and `* * * * *` stand for "not scheduled". Raises BadSchedule.
    """
    if not schedule.is_enabled or not is_scheduled(schedule.cron):
        return None
    period = latest_period(schedule, now)
    if schedule.last_generated is None or schedule.last_generated < period.end:
        return period
    return None


def may_be_sent_from(generated: datetime, send_time: time | None, offset: int) -> datetime:
    """The instant from which a report may be mailed: its send time on the local day it was made, or at once if later.

    There is no end to it: late is better than never (D28).
    """
    if send_time is None:
        return generated
    wall = local(generated, offset)
    at = wall.replace(
        hour=send_time.hour, minute=send_time.minute, second=send_time.second, microsecond=send_time.microsecond
    )
    return max(generated, at.astimezone(UTC))


def _between_fires(schedule: Schedule, now: datetime) -> Period:
    until = now.astimezone(UTC).replace(second=0, microsecond=0) + _MINUTE  # a fire of this very minute has happened
    for days in _WINDOWS:
        fires = occurrences(
            schedule.cron, offset=schedule.offset, start=until - timedelta(days=days), end=until, limit=_MOST
        )
        if len(fires) >= 2:
            return Period(fires[-2], fires[-1])
    raise BadSchedule("bad_cron", f"{schedule.cron!r} did not fire twice in the last fifty years")


def _working_week(schedule: Schedule, now: datetime) -> Period:
    if schedule.workingdays not in _WORKING_DAYS:
        raise BadSchedule(
            "no_workingdays",
            f"{schedule.cron!r} is a schedule of working days, and its workingdays is {schedule.workingdays!r}; right is "
            "'5' (Monday to Friday) or '6' (Monday to Saturday)",
        )
    today = local(now, schedule.offset)
    monday = today.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=today.weekday())
    length = timedelta(days=int(schedule.workingdays))
    if monday + length > today:
        monday -= _WEEK
    return Period(monday.astimezone(UTC), (monday + length).astimezone(UTC))
