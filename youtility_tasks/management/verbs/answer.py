"""What a verb answers: a JSON document for programs, a page for people, an exit status for both."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from rich import box
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from youtility_tasks.documents.lines import printable as plain
from youtility_tasks.documents.lines import span, span_ms

__all__ = ["BAD_USAGE", "OK", "REFUSED", "Answer", "BadUsage", "plain", "span", "span_ms", "table"]

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
    return _Rows(headings, listed) if listed else Text(empty)


@dataclass(frozen=True, slots=True)
class _Rows:
    """A table where its words fit beside each other; in a narrower place each row is a paragraph."""

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        made = self._as_table()
        fits = Measurement.get(console, options.update(width=_ANY_WIDTH, max_width=_ANY_WIDTH), made).minimum
        if fits <= options.max_width:
            yield made
            return
        for row in self.rows:
            for heading, value in zip(self.headings, row, strict=True):
                if value:
                    yield Text(f"{heading}: {value}" if heading else value, overflow="fold")
            yield Text("")

    def _as_table(self) -> Table:
        made = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for column, heading in enumerate(self.headings):
            values = [row[column] for row in self.rows]
            is_number = all(value == "" or value.replace(".", "").replace("/", "").isdecimal() for value in values)
            longest = max((len(word) for value in values for word in value.split()), default=0)
            made.add_column(
                heading,
                justify="right" if is_number else "left",
                overflow="fold",
                min_width=min(_LONGEST_WORD, max(longest, len(heading))),
            )
        for row in self.rows:
            made.add_row(*row)
        return made


_ANY_WIDTH = 100_000
_LONGEST_WORD = 24
"""A longer one is folded; it is a name, and still read."""


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    return plain(str(value))
