"""A schedule's rule as people say it: "every working day at 06:30". Pure; a cron that has no such words is told as it stands."""

from __future__ import annotations

import calendar
import itertools
import re
from collections.abc import Callable, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from youtility_tasks.models import ScheduledTask
from youtility_tasks.models.schedules import Days, Kind

_WEEKDAYS = list(calendar.day_name)
_MONTHS = list(calendar.month_name)
_DAY_NUMBERS = {name[:3].lower(): (n + 1) % 7 for n, name in enumerate(_WEEKDAYS)}
_MONTH_NUMBERS = {name[:3].lower(): n for n, name in enumerate(_MONTHS) if name}
_MOST_TIMES = 6
_SPANS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))


class _NoWords(ValueError):
    """It can be meant, and has no short words."""


def rule(row: ScheduledTask, zone: str) -> str:
    """When it fires, in its zone: "every working day at 06:30, Europe/Berlin"."""
    when = {Kind.CRON: _of_cron, Kind.INTERVAL: _of_interval, Kind.ONCE: _of_once}[Kind(row.kind)](row, zone)
    quiet = ""
    if row.quiet_from is not None and row.quiet_to is not None:
        quiet = f", not between {row.quiet_from:%H:%M} and {row.quiet_to:%H:%M}"
    return f"{when}{quiet}, {zone}"


def _of_once(row: ScheduledTask, zone: str) -> str:
    return "once" if row.at is None else f"once, on {_day(row.at, zone)}"


def _day(instant: datetime, zone: str) -> str:
    wall = instant.astimezone(ZoneInfo(zone))
    return f"{wall.day} {wall:%B %Y at %H:%M}"


def _of_interval(row: ScheduledTask, zone: str) -> str:
    on = "" if row.days == Days.EVERY else f" on {days(row)}"
    return f"every {span(row.every_s or 0)}{on}"


def span(seconds: int) -> str:
    """ "15 minutes", "hour", "1 hour 30 minutes"."""
    parts = []
    for size, word in _SPANS:
        count, seconds = divmod(seconds, size)
        if count:
            parts.append((count, word))
    if len(parts) == 1 and parts[0][0] == 1:
        return parts[0][1]
    return " ".join(f"{count} {word}{'' if count == 1 else 's'}" for count, word in parts)


def days(row: ScheduledTask) -> str:
    """On which days, by its calendar."""
    if row.days == Days.EVERY:
        return "every day"
    said = Days(row.days).label
    return (
        said
        if row.working_weekdays == "12345" or row.days == Days.NO_HOLIDAYS
        else f"{said} ({weekdays(row.working_weekdays)})"
    )


def weekdays(digits: str) -> str:
    """ "Monday to Friday" for "12345"; a week that begins on another day is told in its order, too."""
    numbers = sorted(int(each) for each in digits if each in "1234567")
    return _named_run([number % 7 for number in numbers], "") if numbers else "no day"


# -- cron


def _of_cron(row: ScheduledTask, zone: str) -> str:
    try:
        minute, hour, day, month, weekday = row.cron.lower().split()
        on = _days_of_cron(row, day, month, weekday)
        time, is_many = _times(minute, hour)
    except (ValueError, KeyError, IndexError):
        on = "" if row.days == Days.EVERY else f" on {days(row)}"
        return f"by cron {row.cron}{on}"
    if is_many:
        return time if on == "every day" else f"{time}, {_plural(on)}"
    return f"{on} {time}"


def _plural(on: str) -> str:
    return "on working days" if on == "every working day" else on.replace("every day but", "on all days but", 1)


def _times(minute: str, hour: str) -> tuple[str, bool]:
    """When within a day; whether it is by a beat instead of at named times."""
    if minute == "*" and hour == "*":
        return "every minute", True
    step = re.fullmatch(r"\*/(\d+)", minute)
    if step and (hour == "*" or re.fullmatch(r"\d+-\d+", hour)):
        beat = (
            f"every {span(int(step[1]) * 60)}" if 60 % int(step[1]) == 0 else f"at each {step[1]}th minute of the hour"
        )
        return beat + _from_to(hour, 0, 59), True
    minutes = _numbers(minute, 0, 59, {})
    if hour == "*" or re.fullmatch(r"\*/\d+|\d+-\d+", hour):
        if len(minutes) > _MOST_TIMES:
            raise _NoWords
        every = (
            f"every {span(int(hour[2:]) * 3_600)}"
            if hour.startswith("*/") and 24 % int(hour[2:]) == 0
            else "every hour"
        )
        if hour.startswith("*/") and every == "every hour" and hour != "*/1":
            raise _NoWords
        past = "" if minutes == [0] else f" at {_and([f':{each:02}' for each in minutes])}"
        return every + past + _from_to(hour, minutes[0], minutes[-1]), True
    hours = _numbers(hour, 0, 23, {})
    if len(hours) * len(minutes) > _MOST_TIMES:
        raise _NoWords
    return f"at {_and([f'{h:02}:{m:02}' for h in hours for m in minutes])}", False


def _from_to(hour: str, first: int, last: int) -> str:
    if "-" not in hour:
        return ""
    begins, ends = map(int, hour.split("-"))
    return f" from {begins:02}:{first:02} to {ends:02}:{last:02}"


def _days_of_cron(row: ScheduledTask, day: str, month: str, weekday: str) -> str:
    is_any = day == "*" and weekday == "*"
    of_months = "" if month == "*" else f" in {_and([_MONTHS[n] for n in _numbers(month, 1, 12, _MONTH_NUMBERS)])}"
    by_calendar = {Days.EVERY: "", Days.WORKING: "every working day"}.get(Days(row.days), days(row))
    if by_calendar == "every working day" and row.working_weekdays != "12345":
        by_calendar += f" ({weekdays(row.working_weekdays)})"
    if by_calendar.startswith("the "):
        by_calendar = f"on {by_calendar}"
    if is_any:
        return (by_calendar or "every day") + of_months
    said = []
    if day != "*":
        numbers = _numbers(day, 1, 31, {"l": 32})
        said.append(f"on the {_and([_ordinal(n) if n < 32 else 'last day' for n in numbers])} of the month")
    if weekday != "*":
        numbers = sorted({n % 7 for n in _numbers(weekday, 0, 7, _DAY_NUMBERS)}, key=lambda n: n or 7)
        said.append("every day" if len(numbers) == 7 else f"on {_named_run(numbers, 's')}")
    both = " and ".join(said)
    return both + of_months + (f", if it is {_bare(by_calendar)}" if by_calendar else "")


def _bare(by_calendar: str) -> str:
    return {"every working day": "a working day", "every day but holidays": "no holiday"}.get(
        by_calendar, by_calendar.removeprefix("on ")
    )


def _named_run(numbers: Sequence[int], plural: str) -> str:
    """Weekdays (0 is Sunday): "Monday to Friday" where they follow each other, else "Mondays and Fridays"."""
    order = [(n or 7) for n in numbers]
    run = len(order) > 2 and (_follows(order) or _follows(_rotated(order)))
    if run:
        ordered = order if _follows(order) else _rotated(order)
        return f"{_weekday(ordered[0])} to {_weekday(ordered[-1])}"
    return _and([_weekday(each) + plural for each in order])


def _weekday(number: int) -> str:
    return _WEEKDAYS[(number - 1) % 7]


def _follows(order: Sequence[int]) -> bool:
    return all((b - a) % 7 == 1 for a, b in itertools.pairwise(order))


def _rotated(order: Sequence[int]) -> list[int]:
    """Begun behind its one gap: 1234 7 is Sunday to Thursday."""
    gap = next((n for n in range(1, len(order)) if order[n] - order[n - 1] > 1), 0)
    return [*order[gap:], *order[:gap]]


def _numbers(text: str, lowest: int, highest: int, names: dict[str, int]) -> list[int]:
    found: set[int] = set()
    read: Callable[[str], int] = lambda word: names[word] if word in names else int(word)  # noqa: E731
    for part in text.split(","):
        whole, _, step = part.partition("/")
        if whole == "*":
            begins, ends = lowest, highest
        elif "-" in whole:
            begins, ends = map(read, whole.split("-"))
        else:
            begins = read(whole)
            ends = highest if step else begins
        found.update(range(begins, ends + 1, int(step or 1)))
    if not found:
        raise _NoWords
    return sorted(found)


def _ordinal(number: int) -> str:
    ending = "th" if number in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def _and(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
