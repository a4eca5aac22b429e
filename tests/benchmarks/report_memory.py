"""What writing a report costs in memory and time, by format and number of rows, in a process of its own.

    python -m tests.benchmarks.report_memory [rows]

prints a line a format. The rows are those of LISTOFTASKS, twelve columns, made as they are asked for; a PDF takes no
more than `report_pdf_rows`, so it is not among them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.benchmarks import volume

FORMATS = ("xlsx", "csv", "html", "json")
ROWS = 100_000
BOUND_MB = 150
"""A spreadsheet of 100,000 rows is written within it, Django and the catalogue included."""
_HERE = "tests.benchmarks.report_memory"
_START = datetime(2025, 3, 3, tzinfo=UTC)


def measure(format: str, rows: int) -> dict[str, float]:
    """Peak memory of the process in MB, seconds, and the size of the file in MB."""
    command = [sys.executable, "-m", _HERE, "--one", format, str(rows)]
    env = {**os.environ, "DJANGO_SETTINGS_MODULE": "youtility_tasks.standalone.settings"}
    said = subprocess.run(command, env=env, check=True, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    found: dict[str, float] = json.loads(said.stdout)
    return found


def _rows(count: int) -> Iterator[tuple[Any, ...]]:
    for n in range(count):
        at = _START + timedelta(minutes=n % 40_000)
        ends = at + timedelta(hours=1)
        people = f"Guard {n % 300}", "SCHEDULE", ("COMPLETED", "AUTOCLOSED", "ASSIGNED")[n % 3]
        yield (
            f"Site {n % 200}",
            f"Check the pump {n}",
            at,
            ends,
            *people,
            at,
            ends,
            f"Guard {n % 7}",
            f"Asset {n}",
            "Daily",
        )


def _one(format: str, rows: int) -> None:
    import time

    import django

    django.setup()
    from task_catalog.reporting.head import Head
    from task_catalog.reporting.registry import find
    from task_catalog.reporting.writers import writer_of

    about = {"client": "Acme", "place": "Acme", "start": _START, "end": _START + timedelta(days=28), "company": "House"}
    head = Head(report=find("LISTOFTASKS"), offset=330, made_at=_START, **about)  # type: ignore[arg-type]
    began = time.monotonic()
    with TemporaryDirectory() as folder:
        path = Path(folder, f"report.{format}")
        writer_of(format).write(head, _rows(rows), path)
        size = path.stat().st_size
    print(  # noqa: T201
        json.dumps(
            {
                "peak_mb": volume.peak_mb(),
                "seconds": round(time.monotonic() - began, 2),
                "file_mb": round(size / 1_000_000, 2),
            }
        )
    )


def main(arguments: list[str]) -> None:
    if arguments[:1] == ["--one"]:
        _one(arguments[1], int(arguments[2]))
        return
    rows = int(arguments[0]) if arguments else ROWS
    for format in FORMATS:
        print(format, rows, measure(format, rows))  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1:])
