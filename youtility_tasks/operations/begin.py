"""Begins operations, stops them, and begins their undoing; each with its entry, in one transaction."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Count, Max

from youtility_tasks import audit, membership, metrics, queries
from youtility_tasks.conf import settings
from youtility_tasks.dead_letters.redriving import FASTEST, SLOWEST
from youtility_tasks.declaration import LEAST_URGENT, MOST_URGENT
from youtility_tasks.errors import OperationNotFound, Refused
from youtility_tasks.listing import JobFilter
from youtility_tasks.models import TaskOperation
from youtility_tasks.tenants import current_tenant

from . import choosing
from .kinds import KINDS, UNDO, Act, Kind, kind_of

logger = logging.getLogger(__name__)


def begin(
    act: Act | str,
    wanted: JobFilter | None = None,
    *,
    reason: str = "",
    priority: int | None = None,
    rate_per_s: float | None = None,
) -> TaskOperation:
    """Begin an act on all jobs of the current tenant (outside of one: of all tenants) that the filter means; workers carry it out.

    Its jobs are those with ids up to the newest that there is now, as far as each stands as the act wants when its batch comes; what
    fails from now on is none of them. `rate_per_s`: retried jobs come due one after the other. `priority`: 1 to 10, for that act.
    Raises Refused for what cannot be meant and NotAllowed; then nothing was written.
    """
    named, kind = kind_of(act)
    membership.allow(kind.needs, current_tenant())
    _check(named, kind, reason, priority, rate_per_s)
    mine = choosing.checked(named, kind, wanted or JobFilter())
    with transaction.atomic(using=settings().database):
        newest_id, count = _bounds(mine, kind)
        row = _create(
            act=named.value,
            filter=choosing.stored(mine),
            priority=priority,
            rate_per_s=rate_per_s,
            reason=reason,
            newest_id=newest_id,
            total_count=count,
        )
        _enter("begin operation", row, reason)
    return row


def _check(act: Act, kind: Kind, reason: str, priority: int | None, rate_per_s: float | None) -> None:
    if kind.needs_reason and not reason.strip():
        raise Refused(f"Why? {act.value!r} wants a reason, which the history and the audit log keep (--reason TEXT).")
    is_priority = isinstance(priority, int) and not isinstance(priority, bool)
    if (act is Act.PRIORITY) != (priority is not None) or (
        priority is not None and not (is_priority and MOST_URGENT <= priority <= LEAST_URGENT)
    ):
        raise Refused(
            f"The act 'priority' takes a priority from {MOST_URGENT} (most urgent) to {LEAST_URGENT}, and no other act takes one; "
            f"given: {act.value!r} with {priority!r}."
        )
    is_number = isinstance(rate_per_s, int | float) and not isinstance(rate_per_s, bool)
    if rate_per_s is not None and not (kind.takes_rate and is_number and SLOWEST <= rate_per_s <= FASTEST):
        raise Refused(
            f"A rate is from {SLOWEST:g} to {FASTEST:g} jobs a second, for 'retry' and 'run now', or None for all at once; "
            f"given: {act.value!r} with {rate_per_s!r}."
        )


def _bounds(mine: JobFilter, kind: Kind) -> tuple[int, int | None]:
    """The largest id of its jobs, and how many they are; None where it would mean to look inside each."""
    found = choosing.of_status(mine, kind)
    if mine.looks_inside:
        return int(found.aggregate(newest=Max("pk"))["newest"] or 0), None
    counted = found.aggregate(newest=Max("pk"), n=Count("pk"))
    return int(counted["newest"] or 0), int(counted["n"])


def _create(*, reason: str, **columns: Any) -> TaskOperation:
    return TaskOperation.objects.using(settings().database).create(
        tenant_id=current_tenant(), reason=audit.storable(reason), started_by=audit.actor(), **columns
    )


def _enter(act: str, row: TaskOperation, reason: str, **more: Any) -> None:
    after = {"operation": row.pk, "act": row.act, "filter": row.filter, "count": row.total_count, **more}
    given = {"priority": row.priority, "rate_per_s": row.rate_per_s, "undoes": row.undoes_id}
    after |= {name: value for name, value in given.items() if value is not None}
    audit.write(act, str(row), tenant_id=row.tenant_id, reason=reason, after=after)
    logger.info("%s id=%s act=%s tenant=%s jobs=%s", act, row.pk, row.act, row.tenant_id, row.total_count)


def stop(operation_id: int, reason: str = "") -> TaskOperation:
    """Let an operation act on no more jobs; what it has done stays, and can be undone. Raises Refused when it has ended, OperationNotFound."""
    membership.allow("stop operation", current_tenant())
    row = get(operation_id)
    with transaction.atomic(using=settings().database):
        if not queries.run("stop_operation", {"operation_id": row.pk}):
            raise Refused(f"Operation {row.pk} has ended: {row.done_count} jobs were acted on.")
        row = get(operation_id)
        _enter("stop operation", row, reason, done=row.done_count, refused=row.refused_count)
    return row


def undo(operation_id: int, reason: str = "") -> TaskOperation:
    """Begin another operation that puts this one's jobs back, each as far as nothing else has happened to it since; workers carry it out.

    retry: a dead letter again, unless it was claimed. cancel and discard: back under its id, while its history holds its arguments.
    priority: the former one. run now: due as before. Steps of workflows stay: their runs have gone on.
    Raises Refused while it goes on, when its time is over (`operation_undo_s`), for an act that cannot be taken back, a second time;
    OperationNotFound, NotAllowed.
    """
    membership.allow("undo operation", current_tenant())
    of = get(operation_id)
    if of.act == UNDO or not KINDS[Act(of.act)].is_undone:
        raise Refused(f"Operation {of.pk} ({of.act}) cannot be undone: what it did cannot be taken back.")
    until = undo_until(of)
    if until is None:
        raise Refused(f"Operation {of.pk} goes on. `operations stop {of.pk}` ends it; then it can be undone.")
    if metrics.database_clock() >= until:
        raise Refused(
            f"Operation {of.pk} could be undone until {until:%Y-%m-%d %H:%M:%SZ} (operation_undo_s is {settings().operation_undo_s:g})."
        )
    try:
        with transaction.atomic(using=settings().database):
            row = _create(
                act=UNDO,
                undoes_id=of.pk,
                reason=reason,
                newest_id=of.newest_id,
                total_count=of.done_count,
            )
            _enter("undo operation", row, reason)
    except IntegrityError:
        raise Refused(f"Operation {of.pk} was undone already, or is about to be: `operations list` shows it.") from None
    return row


def is_undoable(row: TaskOperation) -> bool:
    """Whether `undo` has something to put back and would begin now: its time is not over, and nobody undid it before."""
    until = undo_until(row)
    if until is None or not row.done_count or row.act == UNDO or not KINDS[Act(row.act)].is_undone:
        return False
    return metrics.database_clock() < until and not _seen().filter(undoes=row.pk, is_stopped=False).exists()


def undo_until(row: TaskOperation) -> datetime | None:
    """The instant until which an operation can be undone; None while it goes on."""
    return row.ended_at and row.ended_at + timedelta(seconds=settings().operation_undo_s)


def get(operation_id: int) -> TaskOperation:
    """An operation of the current tenant (outside of one: of anybody), as it stands now. Raises OperationNotFound."""
    known_as = operation_id if isinstance(operation_id, int) and not isinstance(operation_id, bool) else 0
    row: TaskOperation | None = _seen().filter(pk=known_as).first() if 0 < known_as < 2**63 else None
    if row is None:
        raise OperationNotFound(operation_id)
    return row


def listing(limit: int = 50, *, before_id: int | None = None) -> list[TaskOperation]:
    """The operations of the current tenant (outside of one: of all), newest first."""
    found = _seen() if before_id is None else _seen().filter(pk__lt=before_id)
    return list(found.order_by("-pk")[:limit])


def _seen() -> Any:
    return TaskOperation.objects.using(settings().database).for_tenant(current_tenant())
