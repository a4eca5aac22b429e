"""Schedules: made, changed, paused, run, previewed and removed while workers run; and holidays."""

from __future__ import annotations

from datetime import date, time
from typing import Annotated, Any

from pydantic import Field

from youtility_tasks import metrics, schedules
from youtility_tasks.documents import schedules as documents
from youtility_tasks.errors import UnknownSchedule
from youtility_tasks.models import ScheduledTask
from youtility_tasks.models.schedules import Days, Missed, Overlap

from . import words
from .endpoints import For, endpoint
from .problems import Problem
from .queues import Ends
from .words import Given, Instant, Name, OfTenantOrSweeps, Why

_Seconds = Annotated[int, Field(ge=1, le=366 * 86_400)]


class Rule(Why):
    """What a schedule says; one of `cron`, `every_s` and `at` says when. What is not named stays, or is usual."""

    args: dict[str, Any] | None = Field(None, description="Arguments by name.")
    cron: str | None = Field(
        None, max_length=200, description="minute hour day month weekday, on the clock of its zone."
    )
    every_s: _Seconds | None = Field(None, description="By elapsed time.")
    at: Instant | None = Field(None, description="Once; with every_s: a tick from which it counts.")
    zone: str | None = Field(None, max_length=64, description="Asia/Kolkata; empty: the tenant's.")
    days: Days | None = None
    working_weekdays: str | None = Field(None, min_length=1, max_length=7, description="12345 is Monday to Friday.")
    site_id: Annotated[int, Field(ge=-(2**63), le=2**63 - 1)] | None = Field(
        None, description="Whose holidays count, too."
    )
    quiet: tuple[time, time] | None = Field(
        None, description='No ticks in these hours of its clock: ["22:00", "06:00"].'
    )
    jitter_s: Annotated[int, Field(ge=0, le=86_400)] | None = Field(None, description="Jobs start up to so much later.")
    missed: Missed | None = None
    missed_most: Annotated[int, Field(ge=1, le=1_000)] | None = None
    grace_s: Annotated[int, Field(ge=1, le=30 * 86_400)] | None = Field(None, description="Older, a tick is missed.")
    overlap: Overlap | None = None
    queue: Name | None = None
    priority: Annotated[int, Field(ge=1, le=10)] | None = None
    tick_argument: str | None = Field(None, max_length=64, description="Argument that is given the tick, in seconds.")


class NewRule(Rule):
    name: Name
    task: Name


class Change(Rule):
    task: Name | None = None


class Draft(Rule):
    task: Name
    count: Annotated[int, Field(ge=1, le=100)] = 5


class ScheduleFacts(Given):
    id: int
    name: str
    tenant: int
    task: str
    args: dict[str, Any] | None = Field(description="Null to an operator.")
    tick_argument: str
    queue_name: str
    priority: int | None
    kind: str
    cron: str
    every_s: int | None
    at: str | None
    zone: str
    days: str
    working_weekdays: str
    site_id: int | None
    quiet_from: str | None
    quiet_to: str | None
    jitter_s: int
    missed: str
    missed_most: int
    grace_s: int
    overlap: str
    version: int
    is_paused: bool
    paused_until: str | None
    paused_by: str | None
    next_at: str | None
    changed_at: str
    changed_by: str
    is_removed: bool


class Schedules(Given):
    schedules: list[ScheduleFacts]
    next: str | None


class ScheduleDocument(Given):
    schedule: ScheduleFacts


class Tick(Given):
    utc: str
    wall: str = Field(description="The same instant on the schedule's own clock.")
    starts_at: str
    skipped: str | None
    detail: str


class Ticks(Given):
    next: list[Tick]


class Occurrence(Given):
    tick_at: str
    outcome: str
    reason: str | None
    detail: str
    job: int | None
    version: int
    starts_at: str | None
    decided_at: str
    tick_count: int
    by_hand: bool


class Occurrences(Given):
    occurrences: list[Occurrence]


class JobId(Given):
    id: int


class MadeJob(Given):
    job: JobId


class Many(OfTenantOrSweeps):
    limit: words.PageSize = 50


class Ahead(OfTenantOrSweeps):
    count: words.Ahead = Field(5, description="So many ticks.")


class ScheduleQuery(OfTenantOrSweeps, words.Paged):
    name: Name | None = None


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


@endpoint("GET", "schedules/", query=ScheduleQuery, gives=Schedules)
def list_schedules(query: ScheduleQuery, place: Any) -> dict[str, Any]:
    """Schedules by pages, the newest first; those of the sweeps belong to tenant 0, and operators see them."""
    rows = ScheduledTask.objects.there().for_tenant(place.tenant_id).order_by("-pk")
    if place.is_ops:
        rows = rows.defer("args", "declared")
    if query.name is not None:
        rows = rows.filter(name=query.name)
    if query.before_id is not None:
        rows = rows.filter(pk__lt=query.before_id)
    page, following = words.page_of(list(rows[: query.limit + 1]), query.limit, lambda row: int(row.pk))
    now = metrics.database_clock()
    return {"schedules": [documents.schedule(row, now) for row in page], "next": following}


@endpoint(
    "POST", "schedules/", body=NewRule, gives=ScheduleDocument, status=201, scope=For.TENANT_OR_SWEEPS, refusals=(409,)
)
def create_schedule(query: OfTenantOrSweeps, body: NewRule, place: Any) -> dict[str, Any]:
    """A new schedule, which workers know of within a second."""
    said = _said(body)
    return _shown(schedules.create(body.name, body.task, reason=body.reason, **said))


@endpoint("POST", "schedules/preview/", body=Draft, gives=Ticks, scope=For.TENANT_OR_SWEEPS)
def preview_new_schedule(query: OfTenantOrSweeps, body: Draft, place: Any) -> dict[str, Any]:
    """The next ticks of a schedule that would be made with these words; nothing is made."""
    coming = schedules.preview_new(body.task, body.count, **_said(body))
    return {"next": [documents.coming(each) for each in coming]}


@endpoint("GET", "schedules/<id:schedule_id>/", query=OfTenantOrSweeps, gives=ScheduleDocument, refusals=(404,))
def get_schedule(query: OfTenantOrSweeps, place: Any, schedule_id: int) -> dict[str, Any]:
    """One schedule."""
    return _shown(_row(schedule_id, place))


@endpoint(
    "PATCH",
    "schedules/<id:schedule_id>/",
    body=Change,
    gives=ScheduleDocument,
    scope=For.TENANT_OR_SWEEPS,
    refusals=(404, 409),
)
def change_schedule(query: OfTenantOrSweeps, body: Change, place: Any, schedule_id: int) -> dict[str, Any]:
    """Let a schedule say something else, from within a second on; what is not named stays, null is what is usual."""
    said = _said(body)
    if body.task is not None:
        said["task"] = body.task
    if not said:
        raise Problem(
            422, "wrong-value", "Wrong value", 'Nothing is changed: name what, for example {"cron": "0 3 * * *"}.'
        )
    return _shown(schedules.change(_name(schedule_id, place), reason=body.reason, **said))


@endpoint(
    "DELETE",
    "schedules/<id:schedule_id>/",
    gives=ScheduleDocument,
    body=Why,
    scope=For.TENANT_OR_SWEEPS,
    refusals=(404, 409),
)
def remove_schedule(query: OfTenantOrSweeps, body: Why, place: Any, schedule_id: int) -> dict[str, Any]:
    """Let a schedule fire no more; what it has done stays."""
    return _shown(schedules.remove(_name(schedule_id, place), reason=body.reason))


@endpoint(
    "POST",
    "schedules/<id:schedule_id>/pause/",
    body=Ends,
    gives=ScheduleDocument,
    scope=For.TENANT_OR_SWEEPS,
    refusals=(404,),
)
def pause_schedule(query: OfTenantOrSweeps, body: Ends, place: Any, schedule_id: int) -> dict[str, Any]:
    """Skip its ticks for a while, or until it is resumed."""
    name = _name(schedule_id, place)
    return _shown(schedules.pause(name, until=body.until, minutes=body.minutes, reason=body.reason))


@endpoint(
    "POST",
    "schedules/<id:schedule_id>/resume/",
    body=Why,
    gives=ScheduleDocument,
    scope=For.TENANT_OR_SWEEPS,
    refusals=(404,),
)
def resume_schedule(query: OfTenantOrSweeps, body: Why, place: Any, schedule_id: int) -> dict[str, Any]:
    """Let it fire again."""
    return _shown(schedules.resume(_name(schedule_id, place), reason=body.reason))


@endpoint(
    "POST",
    "schedules/<id:schedule_id>/run/",
    body=Why,
    gives=MadeJob,
    status=201,
    scope=For.TENANT_OR_SWEEPS,
    refusals=(404, 409),
)
def run_schedule(query: OfTenantOrSweeps, body: Why, place: Any, schedule_id: int) -> dict[str, Any]:
    """One job of it now, whatever its rule and its pauses say."""
    return {"job": {"id": schedules.run_now(_name(schedule_id, place), reason=body.reason)}}


@endpoint(
    "GET", "schedules/<id:schedule_id>/next/", query=Ahead, gives=Ticks, scope=For.TENANT_OR_SWEEPS, refusals=(404,)
)
def preview_schedule(query: Ahead, place: Any, schedule_id: int) -> dict[str, Any]:
    """Its next ticks, in UTC and on its own clock, and which of them will be skipped."""
    return {"next": [documents.coming(each) for each in schedules.preview(_name(schedule_id, place), query.count)]}


@endpoint(
    "GET",
    "schedules/<id:schedule_id>/executions/",
    query=Many,
    gives=Occurrences,
    scope=For.TENANT_OR_SWEEPS,
    refusals=(404,),
)
def list_executions(query: Many, place: Any, schedule_id: int) -> dict[str, Any]:
    """What became of its last ticks, the latest first."""
    found = schedules.occurrences(_name(schedule_id, place), limit=query.limit)
    return {"occurrences": [documents.occurrence(each) for each in found]}


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


def _said(body: Rule) -> dict[str, Any]:
    """The words that were given, as `schedules.create` takes them."""
    given = body.model_fields_set - {"name", "task", "reason", "count"}
    return {
        word: getattr(body, word) for word in sorted(given) if word in _MAY_BE_NULL or getattr(body, word) is not None
    }


_MAY_BE_NULL = {"quiet", "priority", "site_id", "queue"}


def _row(schedule_id: int, place: Any) -> ScheduledTask:
    rows = ScheduledTask.objects.there().for_tenant(place.tenant_id)
    if place.is_ops:
        rows = rows.defer("args", "declared")
    found = rows.filter(pk=schedule_id).first()
    if found is None:
        whose = f"tenant {place.tenant_id}" if place.tenant_id else "any tenant"
        raise UnknownSchedule(schedule_id, whose, ())
    return found


def _name(schedule_id: int, place: Any) -> str:
    return _row(schedule_id, place).name


def _shown(row: ScheduledTask) -> dict[str, Any]:
    return {"schedule": documents.schedule(row, metrics.database_clock())}
