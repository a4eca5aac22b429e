"""JSON for programs: what it is, the columns, and an object a row, written as the rows come."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from task_catalog.reporting.cells import clean, hours_and_minutes
from task_catalog.reporting.head import Head
from task_catalog.reporting.rows import Row
from task_catalog.rules.local_time import local


def write(head: Head, rows: Iterator[Row], path: Path) -> list[str]:
    """Write one document; instants are ISO text with the report's offset, numbers are numbers, nothing is null."""
    about = {
        "report": head.report.code,
        "title": head.title,
        "client": head.client,
        "site": head.place,
        "from": local(head.start, head.offset).isoformat(),
        "upto": local(head.end, head.offset).isoformat(),
        "made": local(head.made_at, head.offset).isoformat(timespec="seconds"),
        "columns": [column.name for column in head.columns],
    }
    names = [column.name for column in head.columns]
    with path.open("w", encoding="utf-8") as file:
        file.write(_text(about)[:-1] + ', "rows": [')
        separator = "\n"
        for row in rows:
            file.write(separator)
            file.write(_text({name: _value(value, head.offset) for name, value in zip(names, row, strict=True)}))
            separator = ",\n"
        file.write("\n]}\n")
    return []


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _value(value: Any, offset: int) -> Any:
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, Decimal):
        value = float(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, datetime):
        return local(value, offset).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, timedelta):
        return hours_and_minutes(value)
    return clean(str(value))
