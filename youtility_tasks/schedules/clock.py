"""When does it fire? Pure: instants in, instants out; no database, no Django, and no clock of its own.

The rule for summer time, the only one. A cron is read on the wall clock of the schedule's zone, and each wall time fires
once: one that the clock skips fires at the first instant after the skip, one that the clock shows twice at its first
showing. Several that fall on one instant are one tick. So an `*/10 * * * *` is silent in the second showing of an hour; what
shall go by elapsed time is an interval, or a cron in UTC.
"""

from __future__ import annotations

import collections
import functools
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from croniter import croniter

from .calendars import EVERY_DAY, Calendar

MOST = 1_000
"""Ticks that are told apart at once; what is older is one number."""
_LONGEST_SEARCH_DAYS = 366 * 4
"""A calendar that lets no day through for so long lets none through."""
_SECOND, _DAY = timedelta(seconds=1), timedelta(days=1)
LAST = datetime(9998, 1, 1, tzinfo=UTC)
"""No tick lies this late: some zone's clock, or the search for another tick, would be past what a datetime can hold."""
# croniter reads `6-6` as a range that goes once round the clock; to whoever writes it, and to every cron, it is six.
_OF_ONE = re.compile(r"(?<![\w-])(\w+)-\1(/\d+)?(?![\w-])", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Cron:
    """At these wall times."""

    expression: str


@dataclass(frozen=True, slots=True)
class Interval:
    """Every so many seconds of elapsed time, counted from an instant that itself is a tick."""

    every_s: int
    anchor: datetime


@dataclass(frozen=True, slots=True)
class Once:
    """At one instant."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Rule:
    """What decides when a schedule is due. Days and hours are those of `zone`."""

    timing: Cron | Interval | Once
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    calendar: Calendar = EVERY_DAY
    until: datetime | None = None
    """No tick from then on."""

    def wall(self, instant: datetime) -> datetime:
        """What the zone's clock shows then, with its offset."""
        return instant.astimezone(self.zone)


def next_after(rule: Rule, after: datetime) -> datetime | None:
    """The first tick that is later than `after`, in UTC; None if there is none."""
    return next(ticks(rule, after), None)


def ticks(rule: Rule, after: datetime) -> Iterator[datetime]:
    """Every tick later than `after`, in order and without doubles, in UTC."""
    found, until = _ticks(rule, after), rule.until
    return found if until is None else itertools.takewhile(lambda tick: tick < until, found)


def _ticks(rule: Rule, after: datetime) -> Iterator[datetime]:
    after = after.astimezone(UTC)
    match rule.timing:
        case Once(at):
            if at > after and rule.calendar.lets(rule.wall(at).date()):
                yield at.astimezone(UTC)
        case Interval():
            yield from _intervals(rule, rule.timing, after)
        case Cron(expression):
            yield from _crons(rule, expression, after)


def is_on_the_wall(timing: Cron, wall: datetime) -> bool:
    """Whether a wall time is one that the expression says; the first instant after a gap is mostly none."""
    return bool(croniter.match(_OF_ONE.sub(r"\1", timing.expression), wall.replace(tzinfo=None)))


def latest(rule: Rule, after: datetime, until: datetime, most: int = MOST) -> tuple[list[datetime], bool]:
    """The last ticks in (after, until], at most `most`, oldest first; and whether these are all of them.

    However long the span is, it looks at few more ticks than it returns: from the end backwards, in windows that double.
    """
    span = timedelta(hours=1)
    while True:
        is_all = until - after <= span
        within = itertools.takewhile(lambda tick: tick <= until, ticks(rule, after if is_all else until - span))
        found = collections.deque(within, maxlen=most + 1)
        if is_all or len(found) > most:
            return list(found)[-most:], is_all and len(found) <= most
        span *= 2


# -- elapsed time


def _intervals(rule: Rule, timing: Interval, after: datetime) -> Iterator[datetime]:
    every = timedelta(seconds=timing.every_s)
    tick = max(timing.anchor, timing.anchor + every * ((after - timing.anchor) // every + 1)).astimezone(UTC)
    skipped = 0
    while tick < LAST:
        day = rule.wall(tick).date()
        if rule.calendar.lets(day):
            skipped = 0
            yield tick
            tick += every
            continue
        skipped += 1
        if skipped > _LONGEST_SEARCH_DAYS:
            return
        midnight = instant_of(datetime.combine(day + _DAY, time()), rule.zone)
        tick = max(tick + every, timing.anchor + every * -((timing.anchor - midnight) // every))


# -- wall time


def _crons(rule: Rule, expression: str, after: datetime) -> Iterator[datetime]:
    walls = _walls(expression, rule.zone, after, rule.calendar)
    latest_yet = after
    for wall in walls:
        tick = instant_of(wall, rule.zone)
        if tick > latest_yet:
            latest_yet = tick
            yield tick


def _walls(expression: str, zone: ZoneInfo, after: datetime, calendar: Calendar) -> Iterator[datetime]:
    start = after.astimezone(zone).replace(tzinfo=None, microsecond=0)
    skipped = 0
    reader = _reader(expression, start)
    while True:
        try:
            wall: datetime = reader.get_next(datetime)
        except (ValueError, OverflowError):  # none in the next fifty years
            return
        if wall.year >= LAST.year:
            return
        if calendar.lets(wall.date()):
            skipped = 0
            yield wall
            continue
        skipped += 1
        if skipped > _LONGEST_SEARCH_DAYS:
            return
        reader = _reader(expression, datetime.combine(wall.date() + _DAY, time()) - _SECOND)


def _reader(expression: str, after: datetime) -> croniter:
    return croniter(_OF_ONE.sub(r"\1", expression), after)


@functools.lru_cache(maxsize=4096)
def instant_of(wall: datetime, zone: ZoneInfo) -> datetime:
    """When the zone's clock shows `wall` for the first time; of a time that it skips, the first instant after the skip. In UTC."""
    first = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if first.astimezone(zone).replace(tzinfo=None) == wall:
        return first
    return _end_of_gap(zone, wall.replace(tzinfo=zone, fold=1).astimezone(UTC), first)


def _end_of_gap(zone: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """The second at which the zone's offset changes; `before` lies before it, `after` not."""
    old = before.astimezone(zone).utcoffset()
    low, high = 0, round((after - before).total_seconds())
    while high - low > 1:
        middle = (low + high) // 2
        if (before + middle * _SECOND).astimezone(zone).utcoffset() == old:
            low = middle
        else:
            high = middle
    return before + high * _SECOND
