"""Days off that a tenant's schedules keep."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from pydantic import Field

from youtility_tasks import schedules
from youtility_tasks.documents import schedules as documents
from youtility_tasks.visits import For

from . import words
from .endpoints import endpoint
from .words import Given, OfTenantOrSweeps, Why


class Holiday(Given):
    day: str
    name: str
    site: int | None


class Holidays(Given):
    holidays: list[Holiday]


class NewHoliday(Why):
    day: date
    name: Annotated[str, Field(min_length=1, max_length=200)]
    site: Annotated[int, Field(ge=-(2**63), le=2**63 - 1)] | None = None


class OneHoliday(OfTenantOrSweeps):
    site: words.SiteId | None = None


@endpoint("GET", "holidays/", gives=Holidays, scope=For.TENANT_OR_SWEEPS)
def list_holidays(query: OfTenantOrSweeps, place: Any) -> dict[str, Any]:
    """The days off that the tenant's schedules keep."""
    return _days_off()


@endpoint("POST", "holidays/", body=NewHoliday, gives=Holidays, status=201, scope=For.TENANT_OR_SWEEPS)
def add_holiday(query: OfTenantOrSweeps, body: NewHoliday, place: Any) -> dict[str, Any]:
    """A day off, of the tenant or of one of its sites; a second one of that day replaces its name."""
    schedules.holidays.add(body.day, body.name, site_id=body.site, reason=body.reason)
    return _days_off()


@endpoint(
    "DELETE",
    "holidays/<day:day>/",
    query=OneHoliday,
    body=Why,
    gives=Holidays,
    scope=For.TENANT_OR_SWEEPS,
    refusals=(404,),
)
def remove_holiday(query: OneHoliday, body: Why, place: Any, day: date) -> dict[str, Any]:
    """Take a day off back."""
    schedules.holidays.remove(day, site_id=query.site, reason=body.reason)
    return _days_off()


def _days_off() -> dict[str, Any]:
    return {"holidays": [documents.holiday(each) for each in schedules.holidays.listing()]}
