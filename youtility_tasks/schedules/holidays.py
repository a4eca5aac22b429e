"""Days off of a tenant, or of one of its sites, that its schedules keep; and the tenant's zone."""

from __future__ import annotations

from datetime import date, datetime

from django.db import transaction

from youtility_tasks import audit, membership
from youtility_tasks.conf import settings
from youtility_tasks.errors import WrongSchedule
from youtility_tasks.models import ScheduleHoliday, Tenant
from youtility_tasks.models.schedules import Days

from . import editing, firing
from .reading import zone_named

_LONGEST_NAME = 200
_BY_WORKING_DAY = [Days.WORKING, Days.FIRST_WORKING, Days.LAST_WORKING]


def add(day: date, name: str, *, site_id: int | None = None, reason: str = "") -> ScheduleHoliday:
    """A holiday of the current tenant (of the sweeps, without one), or of one site; a second one of that day replaces the name.

    Raises WrongSchedule for what is no day, or no name.
    """
    if isinstance(day, datetime) or not isinstance(day, date):
        raise WrongSchedule(f"The day is {day!r}; right is a date.")
    if not isinstance(name, str) or not name.strip() or len(name) > _LONGEST_NAME:
        raise WrongSchedule(f"The holiday's name is {name!r:.80}; right is text of up to {_LONGEST_NAME} characters.")
    with editing.acting() as (tenant_id, _):
        membership.allow("add holiday", tenant_id)
        found, _ = ScheduleHoliday.objects.using(settings().database).update_or_create(
            tenant_id=tenant_id, site_id=site_id, day=day, defaults={"name": name}
        )
        audit.write("add holiday", _target(day, site_id), tenant_id=tenant_id, reason=reason, after={"name": name})
        editing.look_again(tenant_id, days__in=_BY_WORKING_DAY)
    return found


def remove(day: date, *, site_id: int | None = None, reason: str = "") -> None:
    """Take a holiday back. Raises WrongSchedule when there is none."""
    with editing.acting() as (tenant_id, _):
        membership.allow("remove holiday", tenant_id)
        gone, _ = (
            ScheduleHoliday.objects.using(settings().database)
            .filter(tenant_id=tenant_id, site_id=site_id, day=day)
            .delete()
        )
        if not gone:
            raise WrongSchedule(f"{day} is no holiday of {_target(day, site_id).partition(' of ')[2]}.")
        audit.write("remove holiday", _target(day, site_id), tenant_id=tenant_id, reason=reason)
        editing.look_again(tenant_id, days__in=_BY_WORKING_DAY)


def listing() -> list[ScheduleHoliday]:
    """The holidays of the current tenant (of the sweeps, without one), by day."""
    with editing.acting() as (tenant_id, _):
        return list(ScheduleHoliday.objects.using(settings().database).filter(tenant_id=tenant_id).order_by("day"))


def set_zone(tenant_id: int, zone: str, *, reason: str = "") -> Tenant:
    """The zone that a tenant's schedules keep when they name none. Raises UnknownZone, WrongSchedule for an unknown tenant."""
    zone_named(zone)
    membership.allow("set zone", tenant_id)
    with firing.tenant_of(tenant_id), transaction.atomic(using=settings().database):
        rows = Tenant.objects.using(settings().database).filter(pk=tenant_id)
        before = rows.first()
        if before is None:
            raise WrongSchedule(f"No tenant has the id {tenant_id}. `manage_task_queue tenants` lists them.")
        rows.update(zone=zone)
        said = {"before": {"zone": before.zone}, "after": {"zone": zone}}
        audit.write("set zone", f"tenant {tenant_id}", tenant_id=tenant_id, reason=reason, **said)
        editing.look_again(tenant_id, from_now=True, zone="")
        before.zone = zone
    return before


def _target(day: date, site_id: int | None) -> str:
    return f"{day} of {'all sites' if site_id is None else f'site {site_id}'}"
