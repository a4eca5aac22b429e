"""HTML to be read and printed: one page that asks for nothing from outside, every text escaped."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.template.loader import render_to_string
from django.utils.html import escape
from django.utils.safestring import mark_safe

from task_catalog.reporting.cells import text_of
from task_catalog.reporting.chart import Totals
from task_catalog.reporting.head import Head
from task_catalog.reporting.rows import Row

TEMPLATE = "task_catalog/report/page.html"
_ROWS_HERE = "<!--the rows of the report-->"
_LONG_WORD = re.compile(r"\S{31}")
_SHORT = 20
_IN_MEMORY = 1_000_000
"""Bytes of rows that are kept in memory; more go to a temporary file beside the report."""


def write(head: Head, rows: Iterator[Row], path: Path) -> list[str]:
    """Write one page. The chart stands above the rows it is made of, so these wait in a file of their own."""
    chart = head.report.chart
    totals = None if chart is None else Totals(chart, head.columns)
    with tempfile.SpooledTemporaryFile(_IN_MEMORY, "w+", encoding="utf-8", dir=str(path.parent)) as body:
        for row in rows:
            body.write(_line(row, head.offset))
            if totals is not None:
                totals.add(row)
        body.seek(0)
        before, after = _around(head, "" if totals is None else totals.drawn())
        with path.open("w", encoding="utf-8") as file:
            file.write(before)
            shutil.copyfileobj(body, file)
            file.write(after)
    return []


def _around(head: Head, chart: str) -> tuple[str, str]:
    """The page before and after its rows."""
    context = {"head": head, "chart": mark_safe(chart), "rows": mark_safe(_ROWS_HERE)}  # noqa: S308 - drawn() escapes
    before, _, after = render_to_string(TEMPLATE, context).partition(_ROWS_HERE)
    return before, after


def _line(row: Row, offset: int) -> str:
    return f"<tr>{''.join(_cell(value, offset) for value in row)}</tr>\n"


def _cell(value: Any, offset: int) -> str:
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        return f'<td class="n">{value}</td>'
    text = escape(text_of(value, offset))
    if isinstance(value, datetime | date | timedelta) or (len(text) <= _SHORT and " " not in text):
        return f'<td class="t">{text}</td>'
    # A word that no column has room for may break anywhere; other words stay whole.
    return f'<td class="l">{text}</td>' if _LONG_WORD.search(text) else f"<td>{text}</td>"
