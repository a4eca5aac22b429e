"""XLSX for people who calculate: real numbers and dates, headings that stay in sight, filters, texts that stay texts."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import xlsxwriter

from task_catalog.reporting.cells import LONGEST, clean, shortened, text_of, wall_clock
from task_catalog.reporting.head import Head
from task_catalog.reporting.registry import Column
from task_catalog.reporting.rows import Row
from youtility_tasks import BadInput

_TITLE_ROW, _HEADING_ROW = 0, 1
_MOST_ROWS = 1_048_576
_LOOKED_AT = 500
"""Rows whose texts decide how wide a column is."""
_NARROW, _WIDE = 9, 60


def write(head: Head, rows: Iterator[Row], path: Path) -> list[str]:
    """Write one sheet, row by row to disk. Raises BadInput for more rows than a sheet holds."""
    with tempfile.TemporaryDirectory(prefix=".", suffix=".tmp", dir=path.parent) as beside:
        book = xlsxwriter.Workbook(
            str(path),
            {
                "constant_memory": True,
                "strings_to_formulas": False,
                "strings_to_numbers": False,
                "strings_to_urls": False,
                "tmpdir": beside,
            },
        )
        try:
            return _Sheet(book, head).write(rows)
        finally:
            book.close()


class _Sheet:
    def __init__(self, book: Any, head: Head) -> None:
        self._head = head
        self._sheet = book.add_worksheet(head.report.code[:31])
        formats = {
            "title": {"bold": True, "font_size": 12, "bg_color": "#E3EEF7"},
            "heading": {"bold": True, "font_color": "white", "bg_color": "#1F4E79", "valign": "vcenter", "text_wrap": True},
            "instant": {"num_format": "dd-mmm-yyyy hh:mm", "align": "left"},
            "date": {"num_format": "dd-mmm-yyyy", "align": "left"},
            "decimal": {"num_format": "0.00"},
            "length": {"num_format": "[hh]:mm", "align": "left"},
            "text": {"valign": "top"},
        }  # fmt: skip
        self._format = {name: book.add_format(each) for name, each in formats.items()}
        self._widths = [min(_WIDE, max(_NARROW, len(column.name) + 3)) for column in head.columns]
        self._cut = 0
        book.set_properties(
            {
                "title": head.title,
                "subject": f"{head.place}, {head.period}",
                "company": clean(head.company),
                "created": head.made_at.replace(tzinfo=None),
            }
        )

    def write(self, rows: Iterator[Row]) -> list[str]:
        head, sheet = self._head, self._sheet
        told = "; ".join(f"{name}: {value}" for name, value in head.facts)
        sheet.set_row(_TITLE_ROW, 20, self._format["title"])
        sheet.write_string(_TITLE_ROW, 0, shortened(clean(f"{head.title}. {told}")), self._format["title"])
        for place, column in enumerate(head.columns):
            sheet.write_string(_HEADING_ROW, place, column.name, self._format["heading"])
        line = _HEADING_ROW
        for row in rows:
            line += 1
            if line >= _MOST_ROWS:
                raise BadInput(
                    f"{head.report.code}: a sheet holds {_MOST_ROWS - 2:,} rows and there are more. Choose csv or a shorter period."
                )
            for place, value in enumerate(row):
                self._cell(line, place, value, widen=line < _LOOKED_AT)
        sheet.freeze_panes(_HEADING_ROW + 1, 0)
        sheet.autofilter(_HEADING_ROW, 0, max(line, _HEADING_ROW + 1), len(head.columns) - 1)
        for place, width in enumerate(self._widths):
            sheet.set_column(place, place, width, _format_of(head.columns[place], self._format))
        sheet.set_landscape()
        sheet.set_paper(9)  # A4
        sheet.fit_to_pages(1, 0)
        sheet.repeat_rows(_HEADING_ROW)
        return [f"{self._cut} texts were cut at {LONGEST:,} characters"] if self._cut else []

    def _cell(self, line: int, place: int, value: Any, *, widen: bool) -> None:
        sheet, formats = self._sheet, self._format
        if value is None:
            return
        if isinstance(value, str):
            text = clean(value)
            self._cut += len(text) > LONGEST
            sheet.write_string(line, place, shortened(text))
            width = max((len(part) for part in text[:_WIDE].split("\n")), default=0)
        elif isinstance(value, bool):
            sheet.write_boolean(line, place, value)
            width = 0
        elif isinstance(value, int | float | Decimal):
            sheet.write_number(line, place, value, None if isinstance(value, int) else formats["decimal"])
            width = len(f"{value}")
        elif isinstance(value, datetime):
            sheet.write_datetime(line, place, wall_clock(value, self._head.offset), formats["instant"])
            width = 17
        elif isinstance(value, date):
            sheet.write_datetime(line, place, value, formats["date"])
            width = 12
        elif isinstance(value, timedelta):
            sheet.write_datetime(line, place, value, formats["length"])
            width = 8
        else:
            sheet.write_string(line, place, shortened(text_of(value, self._head.offset)))
            width = 12
        if widen:
            self._widths[place] = min(_WIDE, max(self._widths[place], width + 2))


def _format_of(column: Column, formats: dict[str, Any]) -> Any:
    return formats["decimal"] if column.kind.value == "percent" else None
