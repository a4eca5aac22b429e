"""Every report by its code: what it may be asked, its columns, and the one statement that its rows come from.

An application adds its own from its `AppConfig.ready()`:

    register_report("KEYS", ["site*", "fromdate*", "uptodate*"], ["Site", Column("Taken", Kind.WHOLE)], taken_keys)

where `taken_keys(filters)` returns a `values_list` or an `Sql`, its columns in this order, of no client but
`filters.client_id`.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from django.db.models import QuerySet

from youtility_tasks import BadInput, errors

FORMATS = ("pdf", "xlsx", "csv", "html", "json")
ALIASES = {"xls": "xlsx"}
"""What the page also asks for; the old format is not written any more."""
PERIOD_FIELDS = ("fromdate", "uptodate", "fromdatetime", "uptodatetime")
ID_FIELDS = ("asset", "qset", "people", "ticketcategory")
FIELDS = ("site", *PERIOD_FIELDS, *ID_FIELDS)
_HOME = "task_catalog.reporting.definitions"


class Kind(StrEnum):
    """What the cells of a column hold; decides how they are aligned, not how they are written."""

    TEXT = "text"
    WHOLE = "whole"
    PERCENT = "percent"
    INSTANT = "instant"
    DATE = "date"

    @property
    def is_number(self) -> bool:
        return self in (Kind.WHOLE, Kind.PERCENT)


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its heading and what it holds."""

    name: str
    kind: Kind = Kind.TEXT


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Which rows are wanted: of one client, of these of its units, in [start, end).

    Every query MUST narrow by `client_id`. `offset` is minutes east of UTC: the wall clock that days are counted in.
    """

    client_id: int
    sites: tuple[int, ...]
    start: datetime
    end: datetime
    offset: int
    ids: Mapping[str, int] = field(default_factory=dict)
    """The optional filters that were given: field -> id."""


@dataclass(frozen=True, slots=True)
class Sql:
    """A statement of an application's own; values are named parameters (`%(client_id)s`), never put into the text."""

    text: str
    params: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Chart:
    """What a picture above the table shows: for each `label` the sum of each of `parts`, or the number of rows."""

    title: str
    label: str
    parts: tuple[str, ...] = ()


Query = Callable[[Filters], "QuerySet[Any, Any] | Sql"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One report."""

    code: str
    title: str
    required: tuple[str, ...]
    optional: tuple[str, ...]
    columns: tuple[Column, ...]
    query: Query
    unsupported: frozenset[str] = frozenset()
    chart: Chart | None = None

    def check_format(self, name: object) -> str:
        """The format of that name. Raises BadInput for one that is unknown, or that this report does not come in."""
        wanted = ALIASES.get(str(name).lower(), str(name).lower())
        offered = [each for each in FORMATS if each not in self.unsupported]
        if wanted not in offered:
            raise BadInput(f"{self.code}: format is {name!r}; right is one of {', '.join(offered)}.")
        return wanted


_registry: dict[str, Report] = {}


def register_report(
    code: str,
    fields: Iterable[str],
    columns: Iterable[Column | str],
    query: Query,
    unsupported: Iterable[str] = (),
    *,
    title: str = "",
    chart: Chart | None = None,
) -> Report:
    """Make a report known under its code. A star marks a required field: `["site*", "fromdate*", "uptodate*"]`.

    Raises ConfigurationError for a code that is taken, and for a field, column or format that cannot be.
    """
    given = list(fields)
    names = [each.rstrip("*") for each in given]
    report = Report(
        code=code,
        title=title or code.capitalize(),
        required=tuple(each.rstrip("*") for each in given if each.endswith("*")),
        optional=tuple(each for each in given if not each.endswith("*")),
        columns=tuple(each if isinstance(each, Column) else Column(each) for each in columns),
        query=query,
        unsupported=frozenset(ALIASES.get(each, each) for each in unsupported),
        chart=chart,
    )
    headings = [column.name for column in report.columns]
    _refuse(code, not code or code != code.upper() or not code.isidentifier(), "a code is one word in capital letters")
    _refuse(code, code in _registry, "another report has this code")
    _refuse(code, not set(names) <= set(FIELDS), f"fields are some of {', '.join(FIELDS)}")
    _refuse(code, not headings or len(set(headings)) < len(headings), "columns have headings that differ")
    _refuse(code, not report.unsupported < set(FORMATS), f"formats are {', '.join(FORMATS)}, and one is left")
    _refuse(
        code,
        chart is not None and not {chart.label, *chart.parts} <= set(headings),
        "a chart shows columns of the report",
    )
    _registry[code] = report
    return report


def find(code: object) -> Report:
    """The report of that code. Raises BadInput with the nearest one."""
    known = registered()
    found = known.get(code.strip().upper()) if isinstance(code, str) else None
    if found is None:
        raise BadInput(
            f"There is no report {code!r}; known: {', '.join(known)}.{errors.did_you_mean(str(code).upper(), known)}"
        )
    return found


def registered() -> dict[str, Report]:
    """Every report by its code, sorted."""
    _load()
    return dict(sorted(_registry.items()))


def forget(code: str) -> None:
    """Take a report out again; for tests that register their own."""
    _registry.pop(code, None)


@functools.cache
def _load() -> None:
    importlib.import_module(_HOME)  # it registers into this module, so this one cannot import it first


def _refuse(code: str, is_wrong: bool, right: str) -> None:
    if is_wrong:
        raise errors.ConfigurationError(f"register_report({code!r}): {right}.")
