"""Limits on what runs, rates and pauses: set while workers run, kept by every claim from its next round trip on.

Each is for the jobs of a queue, of a task, of a tenant, or of what two or three of them share (`queue="reports", tenant=7`).
Inside `with tenant(id):` they are that tenant's own. Every change is in the audit log, in the caller's transaction; until
that commits it holds the control's row, and claims that spend its tokens wait for it. A person needs a role for it
(`membership.NEEDS`): NotAllowed otherwise.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, Final

from django.db import IntegrityError, transaction
from django.utils import timezone

from . import audit, membership, metrics, queries, queues, registry
from .conf import settings
from .errors import NothingToLift, UnknownTarget, WrongControl
from .models import QueueControl, TaskWorker, Tenant
from .models.controls import FASTEST, MOST_OF_A_TENANT, SLOWEST
from .tenancy import roles
from .tenancy.rights import USERS
from .tenants import current_tenant

COUNTED_UP_TO = 10_000
"""Parked jobs are counted so far, for each control and queue."""
LONGEST_PAUSE = timedelta(days=3_650)
_LARGEST = 2**31 - 1

logger = logging.getLogger(__name__)


class _Keep(Enum):
    KEEP = "as it is"


KEEP: Final = _Keep.KEEP
"""Leave that part of a limit as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """What is set for some jobs, and how they stand now."""

    control_id: int
    queue_name: str | None
    """None: any queue; so for the task and the tenant."""
    task_name: str | None
    tenant_id: int | None
    max_running: int | None
    rate_per_s: float | None
    burst: float
    is_paused: bool
    """False once `paused_until` has passed."""
    paused_until: datetime | None
    paused_at: datetime | None
    paused_by: str
    reason: str
    """Of the pause."""
    changed_at: datetime
    changed_by: str
    running_count: int
    tokens: float | None
    """Starts that the rate has left now; None without a rate."""
    parked_count: int
    """Jobs that have met this control and are looked at again once it has room, counted up to COUNTED_UP_TO a queue. Others
    may wait in their turn that have not met it yet."""

    @property
    def target(self) -> str:
        """What it is set for, in words: "task send_mail of tenant 7 in queue email"."""
        return str(_as_row(self.queue_name, self.task_name, self.tenant_id))

    @property
    def is_idle(self) -> bool:
        """It keeps nothing back; upkeep takes it away once nothing is parked under it."""
        return not self.is_paused and self.max_running is None and self.rate_per_s is None


def limit(
    *,
    queue: str | None = None,
    task: str | None = None,
    tenant: int | None = None,
    running: int | _Keep | None = KEEP,
    rate_per_s: float | _Keep | None = KEEP,
    burst: float | _Keep = KEEP,
    reason: str = "",
) -> Control:
    """Let no more than `running` of these jobs run at once, and no more than `rate_per_s` start each second; None lifts one.

    `burst` may start at once after a quiet time (1 unless given); a change of rate or burst begins with a full burst. Jobs that
    run already go on. Raises WrongControl, UnknownTarget, or NothingToLift if what None should lift is not set.
    """
    target = _target("limit", queue, task, tenant)
    wanted = _checked(running, rate_per_s, burst)
    is_lifting = all(wanted.get(each) is None for each in ("max_running", "rate_per_s")) and "burst" not in wanted
    with transaction.atomic(using=settings().database):
        row, is_new = _hold(target, is_lifting=is_lifting, what="limit")
        if is_lifting and all(getattr(row, each) is None for each in wanted):
            raise NothingToLift("limit", row)
        if wanted.get("rate_per_s", row.rate_per_s) is None:
            if "burst" in wanted:
                raise WrongControl(f"A burst of {burst!r} belongs to a rate, and {row} has none: give rate_per_s, too.")
            wanted["burst"] = 1.0
        elif "rate_per_s" in wanted or "burst" in wanted:
            wanted |= {"tokens": wanted.get("burst", row.burst), "refilled_at": metrics.database_clock()}
        return _change("limit", row, wanted, is_new=is_new, reason=reason)


def pause(
    *,
    queue: str | None = None,
    task: str | None = None,
    tenant: int | None = None,
    minutes: float | None = None,
    until: datetime | None = None,
    reason: str = "",
) -> Control:
    """Let none of these jobs start, for so many minutes, until an instant, or until `resume`; those that run go on.

    A second pause of the same jobs replaces the first. Raises WrongControl, UnknownTarget.
    """
    target = _target("pause", queue, task, tenant)
    ends_at = _checked_end(minutes, until)
    with transaction.atomic(using=settings().database):
        row, is_new = _hold(target, is_lifting=False, what="pause")
        wanted = {
            "is_paused": True,
            "paused_until": ends_at,
            "paused_at": metrics.database_clock(),
            "paused_by": audit.actor(),
            "reason": audit.storable(reason),
        }
        return _change("pause", row, wanted, is_new=is_new, reason=reason)


def resume(
    *, queue: str | None = None, task: str | None = None, tenant: int | None = None, reason: str = ""
) -> Control:
    """Let these jobs start again. Raises NothingToLift unless exactly these are paused, UnknownTarget, WrongControl."""
    target = _target("resume", queue, task, tenant)
    with transaction.atomic(using=settings().database):
        row, _ = _hold(target, is_lifting=True, what="pause")
        if not row.is_paused:
            raise NothingToLift("pause", row)
        wanted = {"is_paused": False, "paused_until": None, "paused_at": None, "paused_by": "", "reason": ""}
        return _change("resume", row, wanted, is_new=False, reason=reason)


def listing() -> list[Control]:
    """Every control, by queue, task and tenant; for a tenant its own, and the pauses of everybody's jobs, which keep its back, too."""
    here = current_tenant()
    every = _read(tenant_id=None)
    return every if here is None else [each for each in every if each.tenant_id == here or _is_over_all(each)]


def _is_over_all(each: Control) -> bool:
    """A pause that a tenant did not make and cannot end, and has to know of; limits of everybody's jobs only make it wait its turn."""
    return each.tenant_id is None and each.is_paused


# -- what is named


def _target(act: str, queue: str | None, task: str | None, tenant: int | None) -> dict[str, Any]:
    here = current_tenant()
    if here is not None and tenant not in (None, here):
        raise WrongControl(f"Inside tenant {here} only its own jobs can be named; given: tenant {tenant!r}.")
    tenant = here if tenant is None else tenant
    for kind, given in (("queue", queue), ("task", task)):
        if given is not None and (not isinstance(given, str) or not given):
            raise WrongControl(f"The {kind} is {given!r}; right is its name.")
    if tenant is not None and (isinstance(tenant, bool) or not isinstance(tenant, int) or not 0 < tenant <= _LARGEST):
        raise WrongControl(f"The tenant is {tenant!r}; right is its id, a whole number from 1.")
    if queue is None and task is None and tenant is None:
        raise WrongControl("Nothing is named: name a queue, a task or a tenant, or two or three of them together.")
    membership.allow(act, tenant)
    declared = registry.resolve(task) if task is not None else None
    return {
        "queue_name": queue or "",
        "task_name": declared.task_name if declared else task or "",
        "tenant_id": tenant,
    }


def _must_exist(target: Mapping[str, Any]) -> None:
    queue_name, task_name, tenant_id = target["queue_name"], target["task_name"], target["tenant_id"]
    if queue_name and queue_name not in queues.configured():
        raise UnknownTarget("queue", queue_name, queues.configured(), "manage_task_queue stats")
    if task_name and registry.resolve(task_name) is None:
        raise UnknownTarget("task", task_name, registry.registered(), "manage_task_queue tasks")
    if tenant_id is not None and not Tenant.objects.filter(pk=tenant_id).exists():
        known = map(str, Tenant.objects.values_list("pk", flat=True)[:1_000])
        raise UnknownTarget("tenant", tenant_id, known, "manage_task_queue tenants")


def _hold(target: Mapping[str, Any], *, is_lifting: bool, what: str) -> tuple[QueueControl, bool]:
    """The control's row, locked, and whether it is new. What names nothing (any more) can be lifted, and not set."""
    rows = QueueControl.objects.using(settings().database).select_for_update()
    if is_lifting:
        found = rows.filter(**target).first()
        if found is None:
            _must_exist(target)
            raise NothingToLift(what, QueueControl(**target))
        return found, False
    _must_exist(target)
    try:
        ((control_id, is_new),) = queries.fetch("hold_control", target)
    except IntegrityError as error:
        if getattr(getattr(error.__cause__, "diag", None), "constraint_name", None) != "yt_control_few":
            raise
        raise WrongControl(
            f"Tenant {target['tenant_id']} has {MOST_OF_A_TENANT} limits and pauses, and no tenant may have more. Lift some that it "
            "does not need; upkeep takes them away. `manage_task_queue limits` lists them."
        ) from None
    return rows.get(pk=control_id), is_new


# -- what is set


def _checked(running: object, rate_per_s: object, burst: object) -> dict[str, Any]:
    wanted: dict[str, Any] = {}
    if running is not KEEP:
        if running is not None and (not isinstance(running, int) or isinstance(running, bool) or running < 1):
            raise WrongControl(
                f"running is {running!r}; right is a whole number from 1, or None for no limit. To let none run, pause them."
            )
        wanted["max_running"] = None if running is None else min(running, _LARGEST)
    if rate_per_s is not KEEP:
        if rate_per_s is not None and not _is_number(rate_per_s, SLOWEST, FASTEST):
            raise WrongControl(
                f"rate_per_s is {rate_per_s!r}; right is a number (0.1 is one in ten seconds) from {SLOWEST:f} to {FASTEST:,.0f}, or "
                "None for no rate. To let none start, pause them."
            )
        wanted["rate_per_s"] = rate_per_s
    if burst is not KEEP:
        if not _is_number(burst, 1, FASTEST):
            raise WrongControl(f"burst is {burst!r}; right is a number from 1, up to {FASTEST:,.0f}.")
        wanted["burst"] = burst
    if not wanted:
        raise WrongControl("Nothing is limited: give running, rate_per_s or both; None lifts one.")
    return wanted


def _is_number(given: object, lowest: float, highest: float) -> bool:
    return (
        isinstance(given, int | float)
        and not isinstance(given, bool)
        and math.isfinite(given)
        and lowest <= given <= highest
    )


def _checked_end(minutes: float | None, until: datetime | None) -> datetime | None:
    if minutes is not None and until is not None:
        raise WrongControl("Give minutes or until, not both.")
    most = LONGEST_PAUSE.total_seconds() / 60
    if minutes is not None:
        if not (_is_number(minutes, 0, most) and minutes > 0):
            raise WrongControl(f"minutes is {minutes!r}; right is a number above 0, up to {most:,.0f}.")
        return metrics.database_clock() + timedelta(minutes=minutes)
    if until is None:
        return None
    if not isinstance(until, datetime) or timezone.is_naive(until):
        raise WrongControl(f"until is {until!r}; right is a datetime with its zone.")
    now = metrics.database_clock()
    if not now < until <= now + LONGEST_PAUSE:
        raise WrongControl(
            f"until is {until.isoformat()}; right is an instant after now ({now.isoformat()} in the database), within ten years."
        )
    return until


def _change(act: str, row: QueueControl, wanted: Mapping[str, Any], *, is_new: bool, reason: str) -> Control:
    before = None if is_new else _state(row)
    for name, value in wanted.items():
        setattr(row, name, value)
    row.changed_at, row.changed_by = metrics.database_clock(), audit.actor()
    row.save(using=settings().database, update_fields=[*wanted, "changed_at", "changed_by"])
    audit.write(act, str(row), tenant_id=row.tenant_id, reason=reason, before=before, after=_state(row))
    for queue_name in _queues_of(row):
        queries.fetch("notify_controls", {"queue_name": queue_name})
    logger.info("%s by hand target=%r by=%s", act, str(row), row.changed_by)
    return _read(control_id=row.pk)[0]


def _state(row: QueueControl) -> dict[str, Any]:
    return {
        "max_running": row.max_running,
        "rate_per_s": row.rate_per_s,
        "burst": row.burst,
        "is_paused": row.is_paused,
        "paused_until": row.paused_until.isoformat() if row.paused_until else None,
        "reason": row.reason,
    }


def _queues_of(row: QueueControl) -> list[str]:
    if row.queue_name:
        return [row.queue_name]
    if (
        roles.acting_as() in USERS
    ):  # who works where is an operator's to see; other queues' next claims meet the change all the same
        return sorted(queues.configured())
    served = TaskWorker.objects.present().values_list("queue_name", flat=True)
    return sorted({*queues.configured(), *served})


# -- what is there


def _read(*, control_id: int | None = None, tenant_id: int | None = None) -> list[Control]:
    parked: dict[int, int] = {}
    for _, under, count in queries.fetch("parked", {"most": COUNTED_UP_TO}):
        parked[under] = parked.get(under, 0) + count
    return [
        Control(
            control_id=number,
            queue_name=queue_name or None,
            task_name=task_name or None,
            tenant_id=owner,
            max_running=max_running,
            rate_per_s=rate_per_s,
            burst=burst,
            is_paused=is_shut,
            paused_until=paused_until,
            paused_at=paused_at,
            paused_by=paused_by,
            reason=reason,
            changed_at=changed_at,
            changed_by=changed_by,
            running_count=running_count,
            tokens=tokens,
            parked_count=parked.get(number, 0),
        )
        for (
            number, queue_name, task_name, owner, max_running, rate_per_s, burst, is_shut, paused_until, paused_at,
            paused_by, reason, changed_at, changed_by, running_count, tokens,
        ) in queries.fetch("list_controls", {"id": control_id, "tenant_id": tenant_id})
    ]  # fmt: skip


def _as_row(queue_name: str | None, task_name: str | None, tenant_id: int | None) -> QueueControl:
    return QueueControl(queue_name=queue_name or "", task_name=task_name or "", tenant_id=tenant_id)
