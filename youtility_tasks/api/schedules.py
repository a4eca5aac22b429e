"""Schedules: made, changed, paused, run, previewed and removed while workers run."""

from __future__ import annotations

from typing import Any

from youtility_tasks import metrics, schedules
from youtility_tasks.documents import schedules as documents
from youtility_tasks.errors import UnknownSchedule
from youtility_tasks.models import ScheduledTask
from youtility_tasks.models.schedules import TENANTS_OWN
from youtility_tasks.problems import Problem
from youtility_tasks.visits import For

from . import words
from .endpoints import endpoint
from .queues import Ends
from .schedule_words import (
    Ahead,
    Change,
    Draft,
    MadeJob,
    Many,
    NewRule,
    Occurrences,
    Rule,
    ScheduleDocument,
    ScheduleQuery,
    Schedules,
    Ticks,
)
from .words import OfTenantOrSweeps, Why


@endpoint("GET", "schedules/", query=ScheduleQuery, gives=Schedules)
def list_schedules(query: ScheduleQuery, place: Any) -> dict[str, Any]:
    """Schedules by pages, the newest first; those of the sweeps belong to tenant 0, and operators see them."""
    rows = ScheduledTask.objects.there().for_tenant(place.tenant_id).order_by("-pk")
    if place.is_ops:
        rows = rows.defer(*TENANTS_OWN)
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


def _said(body: Rule) -> dict[str, Any]:
    """The words that were given, as `schedules.create` takes them."""
    given = body.model_fields_set - {"name", "task", "reason", "count"}
    return {
        word: getattr(body, word) for word in sorted(given) if word in _MAY_BE_NULL or getattr(body, word) is not None
    }


_MAY_BE_NULL = {"quiet", "priority", "site_id", "queue", "until", "expire_s"}


def _row(schedule_id: int, place: Any) -> ScheduledTask:
    rows = ScheduledTask.objects.there().for_tenant(place.tenant_id)
    if place.is_ops:
        rows = rows.defer(*TENANTS_OWN)
    found = rows.filter(pk=schedule_id).first()
    if found is None:
        whose = f"tenant {place.tenant_id}" if place.tenant_id else "any tenant"
        raise UnknownSchedule(schedule_id, whose, ())
    return found


def _name(schedule_id: int, place: Any) -> str:
    return _row(schedule_id, place).name


def _shown(row: ScheduledTask) -> dict[str, Any]:
    return {"schedule": documents.schedule(row, metrics.database_clock())}
