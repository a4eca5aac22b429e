"""A schedule's row as what the clock and the policies ask for: its rule, its zone, its holidays, its excuses."""

from __future__ import annotations

import functools
import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from django.db.models import Q

from youtility_tasks.conf import settings
from youtility_tasks.declaration import schedule_flaw
from youtility_tasks.errors import UnknownZone, WrongCron, WrongSchedule
from youtility_tasks.models import ScheduledTask, ScheduleHoliday, Tenant
from youtility_tasks.models.schedules import Kind, Missed, Reason

from . import policies
from .calendars import Calendar, Days, QuietHours
from .clock import Cron, Interval, Once, Rule

LONGEST_INTERVAL_S = 366 * 86_400


@dataclass(frozen=True, slots=True)
class Reading:
    """A schedule, read."""

    schedule: ScheduledTask
    rule: Rule
    quiet: QuietHours | None

    def excuse(self, tick: datetime) -> tuple[Reason, str] | None:
        """Why this tick is skipped, whenever somebody looks; None if it is not."""
        wall = self.rule.wall(tick)
        if self._is_paused(tick):
            return Reason.PAUSED, _paused(self.schedule)
        holiday = self.rule.calendar.holiday(wall.date())
        if holiday is not None:
            return Reason.HOLIDAY, holiday
        if self.quiet is not None and self.quiet.hold(wall.time()):
            return Reason.QUIET, f"{wall:%H:%M} lies between {self.quiet.begins:%H:%M} and {self.quiet.ends:%H:%M}"
        return None

    def decide(self, ticks: list[datetime], now: datetime) -> list[policies.Verdict]:
        """A verdict on each of the ticks that are due by `now`."""
        row = self.schedule
        return policies.decide(
            ticks,
            now=now,
            missed=Missed(row.missed),
            most=row.missed_most,
            grace_s=row.grace_s,
            excuse=self.excuse,
        )

    def _is_paused(self, tick: datetime) -> bool:
        row = self.schedule
        begun = row.paused_at is None or tick >= row.paused_at
        return row.is_paused and begun and (row.paused_until is None or tick < row.paused_until)


def read(row: ScheduledTask) -> Reading:
    """Read a schedule; asks for its tenant's zone and its holidays where it needs them. Raises WrongSchedule."""
    zone = zone_named(row.zone or tenant_zone(row.tenant_id))
    days = Days(row.days)
    weekdays = frozenset(int(each) for each in row.working_weekdays if each in "1234567")
    holidays = {} if days in (Days.EVERY, Days.WEEKDAYS) else _holidays(row)
    quiet = None
    if row.quiet_from is not None and row.quiet_to is not None:
        quiet = QuietHours(row.quiet_from, row.quiet_to)
    return Reading(row, Rule(_timing(row), zone, Calendar(days, weekdays, holidays), row.until), quiet)


def _timing(row: ScheduledTask) -> Cron | Interval | Once:
    if row.kind == Kind.CRON:
        flaw = schedule_flaw(row.cron)
        if flaw is not None:
            raise WrongCron(row.cron, flaw)
        return Cron(row.cron)
    if row.at is None:
        raise WrongSchedule(f"The schedule {row.name!r} is of kind {row.kind} and has no instant: give `at`.")
    if row.kind == Kind.ONCE:
        return Once(row.at)
    if not row.every_s or not 1 <= row.every_s <= LONGEST_INTERVAL_S:
        raise WrongSchedule(
            f"The interval is {row.every_s!r} s; right is a whole number of seconds from 1 to {LONGEST_INTERVAL_S} (a year)."
        )
    return Interval(row.every_s, row.at)


def zone_named(name: str) -> ZoneInfo:
    """The zone of that name. Raises UnknownZone."""
    try:
        return _zone(name)
    except (KeyError, ValueError, OSError, TypeError):
        raise UnknownZone(name, zoneinfo.available_timezones()) from None


@functools.lru_cache(maxsize=700)
def _zone(name: str) -> ZoneInfo:
    if name in ("", "localtime", "posixrules", "Factory"):
        raise KeyError(name)
    return ZoneInfo(name)


def tenant_zone(tenant_id: int) -> str:
    """The zone of a tenant's schedules; UTC for sweeps."""
    found = Tenant.objects.using(settings().database).filter(pk=tenant_id).values_list("zone", flat=True).first()
    return found or "UTC"


def _holidays(row: ScheduledTask) -> Mapping[date, str]:
    kept = ScheduleHoliday.objects.using(settings().database).filter(tenant_id=row.tenant_id)
    kept = (
        kept.filter(Q(site_id=None) | Q(site_id=row.site_id)) if row.site_id is not None else kept.filter(site_id=None)
    )
    return dict(kept.values_list("day", "name"))


def _paused(row: ScheduledTask) -> str:
    until = f" until {row.paused_until:%Y-%m-%d %H:%M}Z" if row.paused_until else ""
    why = f": {row.pause_reason}" if row.pause_reason else ""
    return f"paused by {row.paused_by or 'unknown'}{until}{why}"
