"""CSV for spreadsheets and programs: UTF-8 with a byte order mark, commas, a heading, nothing else.

The mark is there because Excel reads a CSV file without one in the machine's own code page; Python (`utf-8-sig`),
pandas and databases' loaders know it. Text that a spreadsheet would run is defused.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from task_catalog.reporting.cells import defused, text_of
from task_catalog.reporting.head import Head
from task_catalog.reporting.rows import Row


def write(head: Head, rows: Iterator[Row], path: Path) -> list[str]:
    """Write the rows; every one is one record, whatever line ends its texts have."""
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        out = csv.writer(file)
        out.writerow([defused(column.name) for column in head.columns])
        for row in rows:
            out.writerow([_cell(value, head.offset) for value in row])
    return []


def _cell(value: Any, offset: int) -> Any:
    if isinstance(value, str):
        return defused(text_of(value, offset))
    return text_of(value, offset)
