"""What a form or a schedule asks for, checked: every value typed, every site the client's own (D32)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from task_catalog import entities
from task_catalog.offsets import Offsets
from task_catalog.rules import local_time
from task_catalog.rules.report_schedule import Period
from youtility_tasks import BadInput

from .registry import ID_FIELDS, Filters, Report, find
from .units import Units

LONGEST = timedelta(days=31)
_FURTHEST_MIN = 24 * 60
_DAY = timedelta(days=1)
_YEARS = range(1900, 2201)
"""Years that a report can be meant for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One report to be made."""

    report: Report
    format: str
    filters: Filters
    client: str
    place: str
    """The site, the group, or the client: what was looked at, in words."""
    unit_id: int
    """The unit that the report is filed under."""
    warnings: tuple[str, ...] = field(default=())


def read(form: Mapping[str, Any], *, client_id: int, period: Period | None = None) -> Asked:
    """Check a form for the current client; `period` stands for the form's own dates when a schedule asks.

    Raises BadInput for an unknown report or format, a missing field, a site or group of another client, and a period
    that is empty, backwards or longer than 31 days.
    """
    if not isinstance(form, Mapping):
        raise BadInput(f"formdata is {form!r:.80}; right is an object with report_name, format, site, ...")
    report = find(form.get("report_name"))
    wanted = "pdf" if str(form.get("preview", "")).lower() == "true" else form.get("format")
    format = report.check_format(wanted)
    units = Units(client_id)
    place = _place(report, form, units)
    offset, warnings = _offset(form, client_id)
    covered = _period(report, form, offset) if period is None else period
    if covered.end - covered.start > LONGEST:
        days = (covered.end - covered.start) / _DAY
        raise BadInput(f"{report.code}: the period has {days:.4g} days; a report covers at most {LONGEST.days}.")
    filters = Filters(
        client_id=client_id,
        sites=place.sites,
        start=covered.start,
        end=covered.end,
        offset=offset,
        ids={name: value for name in ID_FIELDS if (value := _id(report, form, name)) is not None},
    )
    return Asked(
        report=report,
        format=format,
        filters=filters,
        client=units.names.get(client_id, ""),
        place=place.name,
        unit_id=place.unit_id,
        warnings=warnings,
    )


@dataclass(frozen=True, slots=True)
class _Place:
    sites: tuple[int, ...]
    name: str
    unit_id: int


def _place(report: Report, form: Mapping[str, Any], units: Units) -> _Place:
    site = as_id("site", form.get("site"))
    group = as_id("sitegroup", form.get("sitegroup"))
    sites = () if group is None else units.of_group(group)  # checked also where the site decides
    if site is not None:
        return _Place(units.below(site), units.names[site], site)
    if group is not None:
        return _Place(
            sites, ", ".join(units.names[pk] for pk in sites[:5]) + (", ..." if len(sites) > 5 else ""), units.client_id
        )
    if "site" in report.required:
        raise _missing(report, "site")
    return _Place(units.below(units.client_id), units.names[units.client_id], units.client_id)


def _id(report: Report, form: Mapping[str, Any], name: str) -> int | None:
    if name not in (*report.required, *report.optional):
        return None
    found = as_id(name, form.get(name))
    if found is None and name in report.required:
        raise _missing(report, name)
    return found


def as_id(name: str, value: Any) -> int | None:
    """An id as a form gives one: a number, its digits, or nothing. Raises BadInput for anything else, lists included."""
    if value is None or value == "":
        return None
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 19:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 2**63:
        raise BadInput(f"{name} is {value!r:.80}; right is the id of one row.")
    return None if entities.is_none(value) else value


def _offset(form: Mapping[str, Any], client_id: int) -> tuple[int, tuple[str, ...]]:
    given = form.get("ctzoffset", local_time.UNKNOWN)
    if given is None or given == "":
        given = local_time.UNKNOWN
    if isinstance(given, str):
        try:
            given = int(given)
        except ValueError:
            given = None
    if isinstance(given, bool) or not isinstance(given, int) or abs(given) >= _FURTHEST_MIN:
        raise BadInput(
            f"ctzoffset is {form.get('ctzoffset')!r}; right is minutes east of UTC, for example 330, 0, -300."
        )
    offsets = Offsets()
    return offsets.of(given, client_id=client_id, bu_id=None), tuple(offsets.warnings)


def _period(report: Report, form: Mapping[str, Any], offset: int) -> Period:
    """The form's two instants, or its two dates, which are whole days of the report's wall clock."""
    by_date = _pair(report, form, "fromdate", "uptodate")
    by_instant = _pair(report, form, "fromdatetime", "uptodatetime")
    if by_instant is not None and ("fromdatetime" in report.required or by_date is None):
        start, end = (_instant(name, value, offset) for name, value in by_instant)
        if start >= end:
            raise BadInput(f"{report.code}: fromdatetime {start} is not before uptodatetime {end}.")
        return Period(start, end)
    if by_date is None:
        raise _missing(report, "fromdatetime" if "fromdatetime" in report.required else "fromdate")
    first, last = (_date(name, value) for name, value in by_date)
    if first > last:
        raise BadInput(f"{report.code}: fromdate {first} is after uptodate {last}.")
    east = timedelta(minutes=offset)
    midnight = datetime(first.year, first.month, first.day, tzinfo=UTC) - east
    return Period(midnight, midnight + (last - first) + _DAY)


def _pair(
    report: Report, form: Mapping[str, Any], start: str, end: str
) -> tuple[tuple[str, Any], tuple[str, Any]] | None:
    given = [name for name in (start, end) if form.get(name) not in (None, "")]
    if len(given) == 1:
        raise _missing(report, end if given[0] == start else start)
    return ((start, form[start]), (end, form[end])) if given else None


def _date(name: str, value: Any) -> date:
    wrong = BadInput(f"{name} is {value!r:.80}; right is a date, for example '2025-03-03'.")
    if not isinstance(value, str):
        raise wrong
    try:
        found = date.fromisoformat(value)
    except ValueError as error:
        raise wrong from error
    if found.year not in _YEARS:
        raise wrong
    return found


def _instant(name: str, value: Any, offset: int) -> datetime:
    """ISO text; without a zone it is read by the report's wall clock."""
    wrong = BadInput(f"{name} is {value!r:.80}; right is an instant, for example '2025-03-03T06:00:00+05:30'.")
    if not isinstance(value, str):
        raise wrong
    try:
        found = datetime.fromisoformat(value)
        if found.year not in _YEARS:
            raise wrong
        if found.tzinfo is None:
            return (found - timedelta(minutes=offset)).replace(tzinfo=UTC)
        return found.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise wrong from error


def _missing(report: Report, name: str) -> BadInput:
    wanted = ", ".join(f"{each}*" for each in report.required)
    return BadInput(f"{report.code}: {name} is missing. It asks for {wanted}.")
