"""Which days count: working days, holidays, the first or last working day of a month, quiet hours. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, time, timedelta
from enum import StrEnum

_DAY = timedelta(days=1)
MONDAY_TO_FRIDAY = frozenset({1, 2, 3, 4, 5})


class Days(StrEnum):
    """The days on which a schedule has ticks."""

    EVERY = "every_day"
    WEEKDAYS = "weekdays"
    """`working_weekdays`, be they holidays or not."""
    WORKING = "working_days"
    NO_HOLIDAYS = "no_holidays"
    """Every day; a tick on a holiday is skipped."""
    FIRST_WORKING = "first_working_day"
    """Of the month."""
    LAST_WORKING = "last_working_day"


@dataclass(frozen=True, slots=True)
class Calendar:
    """The days that count, with the holidays that are known; weekdays as in ISO 8601, Monday is 1."""

    days: Days = Days.EVERY
    working_weekdays: frozenset[int] = MONDAY_TO_FRIDAY
    holidays: Mapping[date, str] = field(default_factory=dict)

    def lets(self, day: date) -> bool:
        """Whether a day has ticks at all. A holiday among working days has: they are skipped, and say why."""
        match self.days:
            case Days.EVERY | Days.NO_HOLIDAYS:
                return True
            case Days.WORKING | Days.WEEKDAYS:
                return day.isoweekday() in self.working_weekdays
            case Days.LAST_WORKING:
                return self.is_working(day) and not self._works_beyond(day, _DAY)
            case Days.FIRST_WORKING:
                return self.is_working(day) and not self._works_beyond(day, -_DAY)

    def is_working(self, day: date) -> bool:
        """A working weekday that is no holiday."""
        return day.isoweekday() in self.working_weekdays and day not in self.holidays

    def holiday(self, day: date) -> str | None:
        """The holiday on which ticks of this calendar are skipped, or None."""
        return self.holidays.get(day) if self.days in (Days.WORKING, Days.NO_HOLIDAYS) else None

    def _works_beyond(self, day: date, step: timedelta) -> bool:
        """Whether the month has another working day in this direction."""
        other = day + step
        while other.month == day.month:
            if self.is_working(other):
                return True
            other += step
        return False


EVERY_DAY = Calendar()


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From one wall time up to, and without, another; over midnight if the first is the later one."""

    begins: time
    ends: time

    def hold(self, wall: time) -> bool:
        """Whether a wall time lies in them."""
        if self.begins <= self.ends:
            return self.begins <= wall < self.ends
        return wall >= self.begins or wall < self.ends
