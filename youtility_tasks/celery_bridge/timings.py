"""When Beat's schedules fire, in the words that a schedule of ours takes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from celery.schedules import crontab_parser

from youtility_tasks.errors import WrongSchedule

_FIELDS = {"minute": (60, 0), "hour": (24, 0), "day_of_month": (31, 1), "month_of_year": (12, 1), "day_of_week": (7, 0)}
_LONGEST_S = 366 * 86_400


@dataclass(frozen=True, slots=True)
class Timing:
    """What `schedules.create` takes of it, and what is to be said about it."""

    words: dict[str, Any]
    notes: tuple[str, ...] = field(default=())


def of_crontab(fields: dict[str, Any], zone: str) -> Timing:
    """A crontab's fields (as text, or as Celery has them expanded already) on the wall clock of a zone.

    Celery means *both* where a day of the month and a weekday are given; a cron of ours means either, so the weekday becomes
    `days="weekdays"`. Raises WrongSchedule.
    """
    notes: list[str] = []
    numbers = {name: _numbers(name, fields.get(name, "*"), notes) for name in _FIELDS}
    whole = {name: len(found) == _FIELDS[name][0] for name, found in numbers.items()}
    text = {name: "*" if whole[name] else _text(found, *_FIELDS[name]) for name, found in numbers.items()}
    words: dict[str, Any] = {"zone": zone}
    weekday = text["day_of_week"]
    if not whole["day_of_month"] and not whole["day_of_week"]:
        weekday = "*"
        words |= {
            "days": "weekdays",
            "working_weekdays": "".join(sorted(str(day or 7) for day in numbers["day_of_week"])),
        }
    words["cron"] = f"{text['minute']} {text['hour']} {text['day_of_month']} {text['month_of_year']} {weekday}"
    return Timing(words, tuple(notes))


def of_interval(every: timedelta, anchor: datetime) -> Timing:
    """Every so long, counted from an instant. Raises WrongSchedule for what is no whole number of seconds from 1."""
    seconds = every.total_seconds()
    if seconds != int(seconds) or not 1 <= seconds <= _LONGEST_S:
        raise WrongSchedule(
            f"its interval is {every} ({seconds:g} s); right is a whole number of seconds from 1 to {_LONGEST_S}. Something that happens more often "
            "than once a second is a loop inside one job: let a schedule of a second or more begin a task that does it so many times"
        )
    return Timing({"every_s": int(seconds), "at": anchor})


def truncated(anchor: datetime, every: timedelta) -> datetime:
    """An instant cut to the unit of an interval, as Celery does for `schedule(..., relative=True)`."""
    cut = anchor.replace(second=0 if every >= timedelta(minutes=1) else anchor.second, microsecond=0)
    if every >= timedelta(hours=1):
        cut = cut.replace(minute=0)
    return cut.replace(hour=0) if every >= timedelta(days=1) else cut


def _numbers(name: str, given: Any, notes: list[str]) -> set[int]:
    size, first = _FIELDS[name]
    if isinstance(given, int):
        found = {given}
    elif isinstance(given, str):
        found = _parsed(name, given.replace(" ", "") or "*", notes)
    elif isinstance(given, Iterable):
        found = set(given)
    else:
        raise WrongSchedule(f"its {name} is {given!r:.80}, which is no crontab's field")
    if not found or not all(isinstance(each, int) and first <= each < first + size for each in found):
        raise WrongSchedule(f"its {name} is {given!r:.80}; right are numbers from {first} to {first + size - 1}")
    return found


def _parsed(name: str, text: str, notes: list[str]) -> set[int]:
    size, first = _FIELDS[name]
    try:
        return set(crontab_parser(size, first).parse(text))
    except Exception as error:  # ParseException, ValueError, KeyError, IndexError: whatever its grammar trips over
        if name == "day_of_week":
            try:
                found = {day % 7 for day in crontab_parser(8, 0).parse(text)}
            except Exception:  # noqa: S110 - the first reading's error says what is wrong
                pass
            else:
                notes.append(f"weekday {text!r}: Beat reads 0 to 6 and has never fired it; 7 is Sunday here")
                return found
        raise WrongSchedule(f"its {name} is {text!r:.80}, which Celery cannot read either: {error}") from error


def _text(found: set[int], size: int, first: int) -> str:
    """The shortest usual way to write these numbers: `*/15`, `1-5`, `8-10,14`."""
    ordered = sorted(found)
    if len(ordered) > 2:
        step = ordered[1] - ordered[0]
        if step > 1 and ordered == list(range(first, first + size, step)):
            return f"*/{step}"
    runs: list[list[int]] = []
    for each in ordered:
        if runs and each == runs[-1][-1] + 1:
            runs[-1].append(each)
        else:
            runs.append([each])
    return ",".join(_run(run) for run in runs)


def _run(run: list[int]) -> str:
    return f"{run[0]}-{run[-1]}" if len(run) > 2 else ",".join(map(str, run))
