"""Makes one report: rows from the database, written to a file as they come."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from task_catalog.ports import clock

from .head import head_of
from .request import Asked
from .rows import Row, rows_of
from .writers import writer_of


@dataclass(frozen=True, slots=True)
class Made:
    """What became of it; without rows nothing was written."""

    row_count: int
    warnings: tuple[str, ...]

    @property
    def has_data(self) -> bool:
        return self.row_count > 0


def make(asked: Asked, path: Path) -> Made:
    """Write the report to a file that exists. A report without rows is an outcome, not a failure."""
    writer = writer_of(asked.format)
    with rows_of(asked.report, asked.filters) as rows:
        first = next(rows, None)
        if first is None:
            return Made(0, asked.warnings)
        counted = _Counted(itertools.chain([first], rows))
        said = writer.write(head_of(asked, clock.now()), counted, path)
    writer.finish(path)
    return Made(counted.count, (*asked.warnings, *said))


class _Counted:
    """Counts what goes through."""

    def __init__(self, rows: Iterator[Row]) -> None:
        self._rows = rows
        self.count = 0

    def __iter__(self) -> Iterator[Row]:
        return self

    def __next__(self) -> Row:
        row = next(self._rows)
        self.count += 1
        return row
