"""A report's rows, one after another from one statement: a cursor of the server's, so that none waits for the last."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from django.db import connection, transaction

from youtility_tasks import errors

from .registry import Filters, Report, Sql

Row = tuple[Any, ...]
_AT_ONCE = 2_000
"""Rows fetched in one round trip."""


@contextlib.contextmanager
def rows_of(report: Report, filters: Filters) -> Iterator[Iterator[Row]]:
    """The rows inside the block, which is one transaction: all as they were when the statement began.

    Raises ConfigurationError at the first row whose width is not that of the report's columns.
    """
    with transaction.atomic():
        found = report.query(filters)
        if isinstance(found, Sql):
            with connection.chunked_cursor() as cursor:
                cursor.cursor.itersize = _AT_ONCE
                cursor.execute(found.text, dict(found.params))
                yield _checked(report, cursor)
        else:
            yield _checked(report, found.iterator(chunk_size=_AT_ONCE))


def _checked(report: Report, found: Iterator[Any]) -> Iterator[Row]:
    width = len(report.columns)
    for row in found:
        if len(row) != width:
            raise errors.ConfigurationError(
                f"The query of report {report.code} gives {len(row)} columns; registered are {width}."
            )
        yield tuple(row)
