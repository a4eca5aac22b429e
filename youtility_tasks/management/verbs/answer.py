"""What a verb answers: a JSON document for programs, a page for people, an exit status for both."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

OK, REFUSED, BAD_USAGE = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Answer:
    """`document` and `page` say the same; `problems` are lines for stderr."""

    document: dict[str, Any]
    page: Sequence[RenderableType] = ()
    code: int = OK
    problems: Sequence[str] = field(default=())


class BadUsage(Exception):
    """Words that argparse accepts and that make no sense together; exit status 2."""


def table(headings: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str) -> RenderableType:
    """Rows under headings, numbers to the right; the sentence `empty` when there is no row."""
    listed = [[_cell(value) for value in row] for row in rows]
    if not listed:
        return Text(empty)
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column, heading in enumerate(headings):
        values = [row[column] for row in listed]
        is_number = all(value == "" or value.replace(".", "").replace("/", "").isdecimal() for value in values)
        made.add_column(heading, justify="right" if is_number else "left", overflow="fold")
    for row in listed:
        made.add_row(*row)
    return made


def plain(text: str) -> str:
    """Text that cannot steer a terminal: errors come from anywhere, and escape sequences with them."""
    return "".join(each if each.isprintable() or each in "\n\t" else "\N{REPLACEMENT CHARACTER}" for each in text)


def span(seconds: float | None) -> str:
    """A span of time for people, in one unit."""
    if seconds is None:
        return ""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s" if seconds >= 1 or seconds == 0 else f"{seconds * 1000:.0f} ms"


def span_ms(milliseconds: float | None) -> str:
    """A span of time given in milliseconds, for people."""
    if milliseconds is None:
        return ""
    return span(milliseconds / 1000) if milliseconds >= 10_000 else f"{milliseconds:.0f} ms"


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    return plain(str(value))
