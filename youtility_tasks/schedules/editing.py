"""Makes and changes schedules while workers run: checked, audited, another version each time, seen by workers at once.

Inside `with tenant(id):` schedules are that tenant's; without a tenant they are those of the sweeps. What was due before a
change goes by what the schedule said until then.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from youtility_tasks import audit, membership, metrics, payload, queries, tenants
from youtility_tasks.conf import settings
from youtility_tasks.errors import ScheduleExists, UnknownSchedule, WrongSchedule
from youtility_tasks.models import ScheduledTask, ScheduledTaskExecution
from youtility_tasks.models.schedules import TENANTS_OWN

from . import clock, definition, firing
from .firing import tenant_of
from .reading import read

LONGEST_PAUSE = timedelta(days=3_650)

logger = logging.getLogger(__name__)


def create(name: str, task: str, *, reason: str = "", **said: Any) -> ScheduledTask:
    """A new schedule of a task (its name), from now on.

    One of `cron` (five fields, on the wall clock of `zone`), `every_s` (seconds; counted from `at`, or from now) and `at` (once).
    `args`; `queue`, `priority`; `zone` (default: the tenant's); `days`, `working_weekdays`, `site_id`; `quiet=(time, time)`;
    `jitter_s`; `missed`, `missed_most`, `grace_s`; `overlap`; `tick_argument`. Raises WrongSchedule; nothing was made then.
    """
    return make(name, {"task": task, **said}, reason=reason)


def make(
    name: str, said: dict[str, Any], *, reason: str = "", declared: Any = None, since: datetime | None = None
) -> ScheduledTask:
    """`create`, for what is declared as well: `declared` is what its declaration says.

    `since`: another scheduler has fired what was due up to then; what has been due since is ours, by its policy for missed ticks.
    """
    definition.check_name(name)
    with acting() as (tenant_id, now):
        before = ScheduledTask.objects.using(settings().database).filter(tenant_id=tenant_id, name=name).first()
        if before is not None and before.removed_at is None:
            raise ScheduleExists(name, _whose(tenant_id))
        row = ScheduledTask(tenant_id=tenant_id, name=name, at=now.replace(microsecond=0))
        if not any(said.get(word) is not None for word in ("cron", "every_s", "at")):
            raise WrongSchedule("When? Give cron='0 2 * * *', every_s=3600, or at=<a datetime> for once.")
        definition.apply(row, said)
        since = now if since is None else min(since, now)
        reading = definition.check(row, since)
        if before is not None:  # its occurrences and versions go on
            row.pk, row.version, row.created_at, row.removed_at = before.pk, before.version, before.created_at, None
        row.declared, row.changed_by, row.changed_at = declared, audit.actor(), now
        row.settled_to, row.next_at = since, clock.next_after(reading.rule, since)
        row.save(using=settings().database, force_insert=before is None)
        row.refresh_from_db()
        _enter("create schedule", row, reason, before=None)
    return row


def change(name: str, *, reason: str = "", **said: Any) -> ScheduledTask:
    """Let a schedule say something else from now on; what is not named stays. Raises WrongSchedule, UnknownSchedule."""
    return amend(name, said, reason=reason)


def amend(name: str, said: dict[str, Any], *, reason: str = "", declared: Any = None) -> ScheduledTask:
    """`change`, for what is declared as well."""
    with _held(name) as (row, now):
        before = _state(row)
        if "every_s" in said and row.at is None:
            row.at = now.replace(microsecond=0)
        definition.apply(row, said)
        reading = definition.check(row, now)
        if declared is not None:
            row.declared = declared
        row.changed_by = audit.actor()
        row.next_at = clock.next_after(reading.rule, now)
        row.save(using=settings().database)
        row.refresh_from_db()
        _enter("change schedule", row, reason, before=before)
    return row


def rename(name: str, becomes: str, task: str, *, reason: str) -> ScheduledTask:
    """Let a declared schedule go on under the new name of its task; what was edited stays. Raises UnknownSchedule."""
    with _held(name) as (row, _):
        before = _state(row)
        row.name = becomes
        if row.declared is not None and row.task_name == row.declared["task_name"]:
            row.task_name = task
            row.declared = {**row.declared, "task_name": task}
        row.changed_by = audit.actor()
        row.save(using=settings().database)
        row.refresh_from_db()
        _enter("change schedule", row, reason, before=before)
    return row


def remove(name: str, *, reason: str = "") -> ScheduledTask:
    """Let a schedule fire no more; its occurrences stay. A declared one does not come back with the next set-up."""
    with _held(name) as (row, now):
        before = _state(row)
        row.removed_at, row.next_at, row.changed_by = now, None, audit.actor()
        row.save(using=settings().database)
        row.refresh_from_db()
        _enter("remove schedule", row, reason, before=before)
    return row


def pause(name: str, *, until: datetime | None = None, minutes: float | None = None, reason: str = "") -> ScheduledTask:
    """Skip its ticks from now on, until an instant, for so many minutes, or until `resume`; each has a row that says so.

    Raises WrongSchedule for an end that is none.
    """
    with _held(name) as (row, now):
        before = _state(row)
        row.is_paused, row.paused_at, row.paused_until = True, now, _end_of_pause(until, minutes, now)
        row.paused_by, row.pause_reason = audit.actor(), audit.storable(reason)
        row.save(using=settings().database)
        _enter("pause schedule", row, reason, before=before)
    return row


def resume(name: str, *, reason: str = "") -> ScheduledTask:
    """Let it fire again, from its next tick on. Raises WrongSchedule when it is not paused."""
    with _held(name) as (row, now):
        if not is_paused(row, now):
            raise WrongSchedule(f"The schedule {name!r} is not paused.")
        before = _state(row)
        row.is_paused, row.paused_at, row.paused_until, row.paused_by, row.pause_reason = False, None, None, "", ""
        row.save(using=settings().database)
        _enter("resume schedule", row, reason, before=before)
    return row


def run_now(name: str, *, reason: str = "") -> int:
    """One job of it now, whatever its rule, pauses and policies say; the job's id. Its ticks go on as ever.

    Raises EnqueueError when the job is refused; then nothing was written.
    """
    with _held(name) as (row, now):
        membership.allow("run schedule", row.tenant_id)
        job_id = firing.fire_by_hand(row, now)
        row.save(using=settings().database, update_fields=["live_jobs"])
        audit.write("run schedule", str(row), tenant_id=row.tenant_id, reason=reason, after={"job": job_id})
    return job_id


def get(name: str) -> ScheduledTask:
    """The schedule of that name. Raises UnknownSchedule with the nearest name."""
    with acting() as (tenant_id, _):
        return _get(tenant_id, name)


def listing(*, all_tenants: bool = False) -> list[ScheduledTask]:
    """The current tenant's schedules (the sweeps', without one), or everybody's that may be seen, by tenant and name."""
    rows = ScheduledTask.objects.using(settings().database).there()
    if all_tenants:
        return list(rows.defer(*TENANTS_OWN))  # an operator sees no arguments
    with acting() as (tenant_id, _):
        return list(rows.for_tenant(tenant_id))


def occurrences(name: str, *, limit: int = 60) -> list[ScheduledTaskExecution]:
    """What became of its last ticks, the latest first."""
    with acting() as (tenant_id, _):
        row = _get(tenant_id, name)
        found = ScheduledTaskExecution.objects.using(settings().database).for_tenant(tenant_id).of_schedule(row.pk)
        return list(found.order_by("-tick_at")[:limit])


def is_paused(row: ScheduledTask, now: datetime) -> bool:
    """Whether a pause holds at this instant."""
    return row.is_paused and (row.paused_until is None or row.paused_until > now)


def look_again(tenant_id: int, *, from_now: bool = False, **which: Any) -> int:
    """Let workers look at once at schedules whose surroundings have changed (a zone, holidays); how many these are.

    `from_now`: the change makes no ticks of the past. One that is due has not had its ticks yet, and has them all the same.
    """
    rows = ScheduledTask.objects.using(settings().database).there().for_tenant(tenant_id).filter(**which)
    now = metrics.database_clock()
    if from_now:
        rows.filter(next_at__gt=now).update(settled_to=now)
    return rows.filter(next_at__isnull=False).update(next_at=now)


@contextlib.contextmanager
def acting() -> Iterator[tuple[int, datetime]]:
    """For whom, and when by the database's clock; in a transaction."""
    tenant_id = tenants.current_tenant() or tenants.ALL
    with tenant_of(tenant_id), transaction.atomic(using=settings().database):
        yield tenant_id, metrics.database_clock()


@contextlib.contextmanager
def _held(name: str) -> Iterator[tuple[ScheduledTask, datetime]]:
    """The schedule, kept from workers until the block's transaction ends, and the time; what was due before has its rows."""
    with acting() as (tenant_id, _):
        _refuse_what_none_is_called(tenant_id, name)
        queries.fetch("hold_schedule", {"tenant_id": tenant_id, "name": str(name)})
        row, now = _get(tenant_id, name), metrics.database_clock()  # after the wait for who held it
        if row.next_at is not None and row.next_at <= now:
            _, next_at = firing.settle(row, now)
            firing.look_next(row, now, next_at)
        else:
            row.settled_to = max(row.settled_to, now) if row.next_at is not None else now
        yield row, now


def _refuse_what_none_is_called(tenant_id: int, name: str) -> None:
    if payload.clean_text(str(name)) != str(name):  # the database could not even be asked
        raise UnknownSchedule(name, _whose(tenant_id), ())


def _get(tenant_id: int, name: str) -> ScheduledTask:
    _refuse_what_none_is_called(tenant_id, name)
    rows = ScheduledTask.objects.using(settings().database).there().for_tenant(tenant_id)
    found = rows.filter(name=str(name)).first()
    if found is None:
        raise UnknownSchedule(name, _whose(tenant_id), rows.values_list("name", flat=True))
    return found


def _enter(act: str, row: ScheduledTask, reason: str, *, before: dict[str, Any] | None) -> None:
    membership.allow(act, row.tenant_id)  # and if not, the transaction is undone
    audit.write(act, str(row), tenant_id=row.tenant_id, reason=reason, before=before, after=_state(row))
    logger.info("%s name=%s tenant=%s version=%s by=%s", act, row.name, row.tenant_id, row.version, audit.actor())


def _state(row: ScheduledTask) -> dict[str, Any]:
    """For the audit log: arguments by name only, since operators read it."""
    kept = definition.as_document(row)
    return {
        **kept,
        "args": sorted(row.args),
        "version": row.version,
        "is_paused": row.is_paused,
        "paused_until": row.paused_until.isoformat() if row.paused_until else None,
        "is_removed": row.removed_at is not None,
    }


def _whose(tenant_id: int) -> str:
    return f"tenant {tenant_id}" if tenant_id else "the sweeps"


def _end_of_pause(until: datetime | None, minutes: float | None, now: datetime) -> datetime | None:
    if minutes is not None:
        if until is not None:
            raise WrongSchedule("Give minutes or until, not both.")
        most = LONGEST_PAUSE.total_seconds() / 60
        if isinstance(minutes, bool) or not isinstance(minutes, int | float) or not 0 < minutes <= most:
            raise WrongSchedule(f"minutes is {minutes!r}; right is a number above 0, up to {most:,.0f}.")
        return now + timedelta(minutes=minutes)
    if until is None:
        return None
    if not isinstance(until, datetime) or until.utcoffset() is None:
        raise WrongSchedule(f"until is {until!r}; right is a datetime with its zone.")
    if not now < until <= now + LONGEST_PAUSE:
        raise WrongSchedule(
            f"until is {until.isoformat()}; right is an instant after now ({now.isoformat()} in the database), within ten years."
        )
    return until


def zone_of(row: ScheduledTask) -> str:
    """The zone that it keeps: its own, or its tenant's."""
    with tenant_of(row.tenant_id):
        return read(row).rule.zone.key
