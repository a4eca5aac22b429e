"""PDF to be printed and filed: the HTML page, rendered."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

from task_catalog.conf import catalog
from task_catalog.ports import pdf
from task_catalog.reporting.head import Head
from task_catalog.reporting.rows import Row
from youtility_tasks import BadInput

from . import as_html


def write(head: Head, rows: Iterator[Row], path: Path) -> list[str]:
    """Write the page that `finish` renders.

    Raises BadInput for more rows than `TASK_CATALOG["report_pdf_rows"]`: nobody reads so many pages, and laying them out
    takes longer than the task may.
    """
    most = catalog().report_pdf_rows
    kept = list(itertools.islice(rows, most + 1))
    if len(kept) > most:
        raise BadInput(
            f"{head.report.code}: a PDF holds {most:,} rows and there are more. Choose xlsx or csv, or a shorter period."
        )
    return as_html.write(head, iter(kept), path)


def finish(path: Path) -> None:
    """Render the page: that may take a minute, for which no transaction stays open. Raises what `ports.pdf` does."""
    path.write_bytes(pdf.render(path.read_text(encoding="utf-8"), timeout_s=catalog().report_pdf_timeout_s))
