"""What may be said of a schedule, and what is wrong with what was said."""

from __future__ import annotations

import zoneinfo
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime, time
from typing import Any

from youtility_tasks import enqueue, payload, tenants
from youtility_tasks.declaration import Task
from youtility_tasks.errors import (
    ConfigurationError,
    EnqueueError,
    NeverFires,
    NoTenant,
    UnknownZone,
    WrongCall,
    WrongCron,
    WrongSchedule,
    did_you_mean,
)
from youtility_tasks.models import ScheduledTask
from youtility_tasks.models.schedules import Days, Kind, Missed, Overlap
from youtility_tasks.uniqueness import Unique

from . import clock, firing
from .reading import Reading, read

SAID = (
    "task_name", "args", "tick_argument", "queue_name", "priority", "kind", "cron", "every_s", "at", "zone", "until", "days",
    "working_weekdays", "site_id", "quiet_from", "quiet_to", "jitter_s", "missed", "missed_most", "grace_s", "overlap", "expire_s",
)  # fmt: skip
"""The columns that are what a schedule says; every other one is how it goes on."""
OPTIONS = ("task", "cron", "queue", "quiet", *(each for each in SAID if each not in {"task_name", "queue_name", "kind", "cron", "quiet_from", "quiet_to"}))  # fmt: skip
"""The words by which they are given."""
_EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
LONGEST_JITTER_S = 86_400
LONGEST_GRACE_S = 30 * 86_400
LONGEST_EXPIRY_S = 366 * 86_400
MOST_MISSED = 1_000
_NUMBERS = {
    "jitter_s": (0, LONGEST_JITTER_S, "seconds"),
    "grace_s": (1, LONGEST_GRACE_S, "seconds"),
    "missed_most": (1, MOST_MISSED, "ticks"),
}
_WORDS: Mapping[str, Iterable[str]] = {"missed": Missed.values, "overlap": Overlap.values, "days": Days.values}


def apply(row: ScheduledTask, said: Mapping[str, Any]) -> None:
    """Put what was said into the row. Of `cron`, `every_s` and `at` (alone) the one that is given decides what kind it is.

    Raises WrongSchedule for a word that is none, and for what no column could hold.
    """
    for word in said:
        if word not in OPTIONS:
            raise WrongSchedule(
                f"A schedule has no {word!r}; known: {', '.join(sorted(OPTIONS))}.{did_you_mean(word, OPTIONS)}"
            )
    _timing(row, said)
    for word, value in said.items():
        match word:
            case "task":
                row.task_name = _text(word, value, 128)
            case "queue":
                row.queue_name = _text(word, value or "", 128)
            case "quiet":
                row.quiet_from, row.quiet_to = _quiet(value)
            case "cron" | "every_s" | "at":
                pass
            case "args":
                if not isinstance(value, Mapping):
                    raise WrongSchedule(f"args is {value!r:.80}; right is a dict of arguments by name.")
                row.args = dict(value)
            case "until":
                row.until = None if value is None else _instant(word, value)
            case "expire_s":
                row.expire_s = None if value is None else _whole(word, value, 1, LONGEST_EXPIRY_S, "seconds")
            case "site_id" | "priority":
                setattr(row, word, None if value is None else _whole(word, value, -(2**63), 2**63 - 1, ""))
            case _ if word in _NUMBERS:
                lowest, highest, unit = _NUMBERS[word]
                setattr(row, word, _whole(word, value, lowest, highest, unit))
            case _ if word in _WORDS:
                setattr(row, word, _one_of(word, value, _WORDS[word]))
            case "working_weekdays":
                row.working_weekdays = _weekdays(value)
            case "zone":
                if not isinstance(value, str) or len(value) > 64:
                    raise UnknownZone(value, zoneinfo.available_timezones())
                row.zone = value
            case _:
                setattr(row, word, _text(word, value, 64))


def check_name(name: object) -> None:
    """Raise WrongSchedule for what no schedule can be called."""
    if not isinstance(name, str) or not 0 < len(name) <= 128 or not name.isprintable():
        raise WrongSchedule(f"A schedule's name has 1 to 128 printable characters; given: {name!r:.200}.")


def check(row: ScheduledTask, now: datetime) -> Reading:
    """Raise whatever is wrong with the schedule; its arguments become what is stored. Writes nothing. In its tenant's context."""
    check_name(row.name)
    reading = read(row)
    if clock.next_after(reading.rule, now) is None:
        raise NeverFires(said_of(row))
    row.args = _checked_args(row, now)
    return reading


def said_of(row: ScheduledTask) -> str:
    """Its rule in words."""
    match row.kind:
        case Kind.CRON:
            when = f"Cron {row.cron!r}"
        case Kind.INTERVAL:
            when = f"An interval of {row.every_s} s"
        case _:
            when = f"Once at {row.at.isoformat() if row.at else None}"
    on = "" if row.days == Days.EVERY else f" on {Days(row.days).label}"
    until = f", until {row.until.isoformat()}" if row.until else ""
    return f"{when}{on} in {row.zone or 'the zone of its tenant'}{until}"


def as_document(row: ScheduledTask, *, but_not: Collection[str] = ()) -> dict[str, Any]:
    """What the schedule says, as JSON carries it; None for a column in `but_not`."""
    return {name: None if name in but_not else _plain(getattr(row, name)) for name in SAID}


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime | time) else value


def _checked_args(row: ScheduledTask, now: datetime) -> dict[str, Any]:
    try:
        task, positional, named = firing.call_of(row, now)
        if row.tick_argument and row.tick_argument in row.args:
            raise WrongSchedule(
                f"args has {row.tick_argument!r}, which each tick is to give: leave it out, or give no tick_argument."
            )
        if task.debounce is not None and row.jitter_s:
            raise WrongSchedule(
                f"jitter_s is {row.jitter_s!r}, and task {task.name!r} is debounced, which says itself when a call runs; right is jitter_s=0."
            )
        if row.overlap == Overlap.CANCEL_RUNNING and _is_unique_while_it_runs(task):
            raise WrongSchedule(
                f"overlap is {row.overlap!r}, and task {task.name!r} is unique while it runs, so no job could begin in the place of one "
                "that runs; right is overlap='skip', or a task that is Unique(while_='waiting')."
            )
        if task.tenant == "one" and tenants.current_tenant() is None:
            raise NoTenant(task.name)
        stored = enqueue.check(task, positional, named)
    except (EnqueueError, ConfigurationError) as error:
        raise WrongCall(row.task_name, error) from error
    if row.tick_argument:
        stored.get("kwargs", stored).pop(row.tick_argument, None)
    return stored


def _is_unique_while_it_runs(task: Task) -> bool:
    rule = task.unique
    return rule.while_ in ("waiting_or_running", "until_done") if isinstance(rule, Unique) else bool(rule)


def _timing(row: ScheduledTask, said: Mapping[str, Any]) -> None:
    given = {word: said[word] for word in ("cron", "every_s", "at") if said.get(word) is not None}
    if not given:
        return
    if "cron" in given and len(given) > 1:
        raise WrongSchedule(
            f"Both cron and {' and '.join(sorted(given.keys() - {'cron'}))} are given; right is cron, or every_s (from `at` on), or at."
        )
    if "at" in given:
        _instant("at", given["at"])
    if "cron" in given:
        if not isinstance(given["cron"], str) or len(given["cron"]) > 200:
            raise WrongCron(given["cron"], "it is no text of at most 200 characters")
        row.kind, row.cron, row.every_s, row.at = Kind.CRON, " ".join(given["cron"].split()), None, None
    elif "every_s" in given:
        every_s = _whole("every_s", given["every_s"], 1, 366 * 86_400, "seconds")
        row.kind, row.cron, row.every_s, row.at = Kind.INTERVAL, "", every_s, given.get("at", row.at)
    elif row.kind == Kind.INTERVAL and row.every_s:
        row.at = given["at"]
    else:
        row.kind, row.cron, row.every_s, row.at = Kind.ONCE, "", None, given["at"]


def _instant(word: str, value: Any) -> datetime:
    if not isinstance(value, datetime) or value.utcoffset() is None:
        raise WrongSchedule(f"{word} is {value!r}; right is a datetime with its zone.")
    if not _EARLIEST <= value < clock.LAST:
        raise WrongSchedule(
            f"{word} is {value.isoformat()}; right is from the year {_EARLIEST.year} to {clock.LAST.year - 1}."
        )
    return value


def _text(word: str, value: Any, longest: int) -> str:
    if not isinstance(value, str) or len(value) > longest or payload.clean_text(value) != value:
        raise WrongSchedule(f"{word} is {value!r:.200}; right is text of at most {longest} characters.")
    return value


def _whole(word: str, value: Any, lowest: int, highest: int, unit: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not lowest <= value <= highest:
        raise WrongSchedule(
            f"{word} is {value!r:.80}; right is a whole number{f' of {unit}' if unit else ''} from {lowest} to {highest}."
        )
    return value


def _one_of(word: str, value: Any, known: Iterable[str]) -> str:
    names = list(known)
    if value not in names:
        raise WrongSchedule(f"{word} is {value!r:.80}; known: {', '.join(names)}.{did_you_mean(value, names)}")
    return str(value)


def _weekdays(value: Any) -> str:
    digits = "".join(sorted(set(value))) if isinstance(value, str) else ""
    if not digits or not set(digits) <= set("1234567"):
        raise WrongSchedule(f"working_weekdays is {value!r:.80}; right are digits, 1 is Monday: '12345', or '71234' for Sunday to Thursday.")  # fmt: skip
    return digits


def _quiet(value: Any) -> tuple[time | None, time | None]:
    if value is None:
        return None, None
    match value:
        case (time() as begins, time() as ends) if begins != ends and begins.tzinfo is None and ends.tzinfo is None:
            return begins, ends
    raise WrongSchedule(f"quiet is {value!r:.80}; right are two different wall times, (time(22), time(6)), or None.")
