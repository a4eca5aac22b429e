"""What stands in a cell: text that no reader of the file can mistake for anything else."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

from task_catalog.rules.local_time import local, shown

LONGEST = 32_767
"""Characters a spreadsheet's cell holds."""
_CUT = "…"
# Control characters but tab and line feed, halves of surrogate pairs, and what XML has no place for.
_UNWRITABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_LINE_ENDS = re.compile("\r\n?|[\u2028\u2029\x85]")
# What a spreadsheet may take for a formula, also in full width, and also behind blanks.
_FORMULA = re.compile(r"[\s\ufeff]*[=+\-@\uff1d\uff0b\uff0d\uff20\t\r]")
# Where lists are separated by semicolons, a cell ends at each of them, and at a line end, inside of what we have quoted too.
_FORMULA_INSIDE = re.compile(r"([;\n])(?=(?:[^\S\n]|\ufeff)*[=+\-@\uff1d\uff0b\uff0d\uff20])")
_NUMBER = re.compile(r"[+-]?\d+([.,]\d+)*")


def text_of(value: Any, offset: int) -> str:
    """A value as people read it: instants by the wall clock `offset` minutes east of UTC, "" for nothing."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if isinstance(value, datetime):
        return shown(value, offset)
    if isinstance(value, date):
        return shown_date(value)
    if isinstance(value, timedelta):
        return hours_and_minutes(value)
    return clean(str(value))


def shown_date(day: date) -> str:
    """A date for people, as instants show it: `03-Mar-2025`."""
    return shown(datetime(day.year, day.month, day.day, tzinfo=UTC), 0).partition(" ")[0]


def hours_and_minutes(length: timedelta) -> str:
    """A length of time, `HH:MM`; hours go on beyond a day."""
    minutes = int(length.total_seconds() // 60)
    sign, minutes = ("-", -minutes) if minutes < 0 else ("", minutes)
    return f"{sign}{minutes // 60:02}:{minutes % 60:02}"


def clean(text: str) -> str:
    """Text without what files and their readers choke on; line ends become one line feed."""
    return _UNWRITABLE.sub("", _LINE_ENDS.sub("\n", text))


def shortened(text: str) -> str:
    """Text that a spreadsheet's cell can hold."""
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + _CUT


def defused(text: str) -> str:
    """Text that no spreadsheet runs when it opens a CSV file: an apostrophe goes before what could be a formula, also inside.

    A plain number keeps its sign.
    """
    if _NUMBER.fullmatch(text):
        return text
    inside = _FORMULA_INSIDE.sub(r"\1'", text)
    return f"'{inside}" if _FORMULA.match(text) else inside


def wall_clock(at: datetime, offset: int) -> datetime:
    """An instant as a spreadsheet stores one: the wall clock, without a zone."""
    return local(at, offset).replace(tzinfo=None)


def zone_in_words(offset: int) -> str:
    """`UTC`, `UTC+05:30`, `UTC-05:00`."""
    return f"UTC{'-' if offset < 0 else '+'}{abs(offset) // 60:02}:{abs(offset) % 60:02}" if offset else "UTC"
