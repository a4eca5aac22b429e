"""When a plan falls due: cron expressions of five fields, read in a wall clock with a fixed offset (catalog.md 1.3)."""

from __future__ import annotations

import functools
import re
from datetime import UTC, datetime, timedelta

from croniter import croniter

NEVER = "* * * * *"
"""The cron of a plan that is not scheduled."""
MOST = 20_000
"""Instants that are listed at once: every minute of almost two weeks."""

_FIELDS = 5
_MINUTE = timedelta(minutes=1)
# croniter reads `r` and `h` as "some value, made up now"; the same cron would then mean other times in every run.
_MADE_UP = re.compile(r"[rh](\(.*\))?(/.*)?", re.IGNORECASE)
# croniter reads `6-6` as a range that goes once round the clock; to whoever writes it, and to every cron, it is six.
_OF_ONE = re.compile(r"(?<![\w-])(\w+)-\1(/\d+)?(?![\w-])", re.IGNORECASE)
_SOME_YEAR = datetime(2025, 1, 1)
# Day of month and weekday: either will do, unless one of them is a star, and then the other decides. catalog.md does not say
# what a star is; its totals come from "a cron library", the one that also reads schedules, so its reading holds:
# `*` alone is one, `*/18` is not (crontab(5) calls every field that has a star in it one), and a list of all days is one beside
# a field that has a star in it (crontab(5), again by the star: the same days). So `*/18 * 1-5` is the 1st, the 19th and
# every working day, `*/18 * 0-6` the 1st and the 19th, and `5 * 0-6` every day. No plan of the catalog restricts both.


class BadCron(ValueError):
    """An expression that is no cron of five fields, or one that never fires."""


def is_scheduled(expression: str | None) -> bool:
    """Whether a plan has a cron at all: neither blank nor `* * * * *`, which stands for none."""
    return " ".join((expression or "").split()) not in ("", NEVER)


@functools.lru_cache(maxsize=4096)
def flaw(expression: str) -> str | None:
    """What is wrong with an expression, or None: five legal fields that fire at least once in fifty years."""
    given = expression.split()
    if len(given) != _FIELDS:
        return f"{expression!r} has {len(given)} fields; right are minute, hour, day, month, weekday"
    if any(_MADE_UP.fullmatch(field) for field in given):
        return f"{expression!r} asks for a random time, which would be another one in every run"
    try:
        _reader(expression, _SOME_YEAR).get_next(datetime)
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        return f"{expression!r} cannot be read as a cron: {error}"
    return None


def occurrences(
    expression: str, *, offset: int, start: datetime, end: datetime, limit: int = MOST
) -> tuple[datetime, ...]:
    """The instants (UTC) in [start, end) at which the cron fires by the wall clock `offset` minutes east of UTC.

    Half open, so windows that follow one another neither lose nor double an instant (D6). At most the first `limit`
    of them. Raises BadCron, and OverflowError beyond the calendar's ends.
    """
    wrong = flaw(expression)
    if wrong is not None:
        raise BadCron(wrong)
    east = timedelta(minutes=offset)
    first = start.astimezone(UTC).replace(tzinfo=None) + east
    last = end.astimezone(UTC).replace(tzinfo=None) + east
    if first >= last:
        return ()
    return tuple((wall - east).replace(tzinfo=UTC) for wall in _walls(expression, _whole(first), last, limit))


def _reader(expression: str, after: datetime) -> croniter:
    return croniter(_OF_ONE.sub(r"\1", expression), after)


def _whole(wall: datetime) -> datetime:
    """The first whole minute that is not before an instant."""
    minute = wall.replace(second=0, microsecond=0)
    return minute if minute == wall else minute + _MINUTE


@functools.lru_cache(maxsize=1024)
def _walls(expression: str, first: datetime, last: datetime, limit: int) -> tuple[datetime, ...]:
    """Wall clock times; kept, because most plans of a company share a few crons and one window."""
    every = _reader(expression, first - _MINUTE)  # it begins after the instant that it is given
    found: list[datetime] = []
    while len(found) < limit:
        try:
            wall: datetime = every.get_next(datetime)
        except ValueError:  # none in the next fifty years
            break
        if wall >= last:
            break
        found.append(wall)
    return tuple(found)
