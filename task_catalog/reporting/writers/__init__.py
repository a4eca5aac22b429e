"""One module a format; each has `write(head, rows, path)`, which returns what is to be said about the file.

`rows` is gone through once, so that a report of any length needs the memory of a few rows. A module whose work is not done
then has `finish(path)` besides, which is called when the rows' transaction is over.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from task_catalog.extras import MissingExtra
from task_catalog.reporting.head import Head
from task_catalog.reporting.registry import FORMATS
from task_catalog.reporting.rows import Row
from youtility_tasks import BadInput


@dataclass(frozen=True, slots=True)
class Writer:
    """What writes one format."""

    write: Callable[[Head, Iterator[Row], Path], list[str]]
    finish: Callable[[Path], None]


MEDIA_TYPES = {
    "pdf": "application/pdf",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "csv": "text/csv",
    "html": "text/html",
    "json": "application/json",
}


def writer_of(format: str) -> Writer:
    """What writes that format; imported when first used, because some need much. Raises MissingExtra."""
    if format not in FORMATS:
        raise BadInput(f"format is {format!r}; right is one of {', '.join(FORMATS)}.")
    try:
        module = importlib.import_module(f"{__name__}.as_{format}")
    except ImportError as error:
        raise MissingExtra(f"Writing reports as {format}", error.name or format, "reports") from error
    return Writer(module.write, getattr(module, "finish", _done))


def _done(path: Path) -> None:
    """Most formats are complete with their last row."""
