"""The tenants there are: added, renamed, weighed, deactivated; each change is in the audit log, in its own transaction."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from django.db import ProgrammingError, transaction
from django.db.models.functions import Now

from . import audit, membership
from .conf import settings
from .errors import NotAllowed, Refused
from .models import ScheduledTask, Tenant
from .tenants import tenant


def add(tenant_id: int, name: str, *, weight: int = 1, reason: str = "") -> Tenant:
    """A new tenant, or one that was deactivated and returns under this name and weight: its schedules go on from now.

    Raises Refused when an active tenant has the id, UnknownTenant for an id that cannot be one, NotAllowed where the setting
    `roles` is used and this process is not an operator's, or for a person who is none.
    """
    membership.allow("add tenant", tenant_id)
    with tenant(tenant_id), transaction.atomic(using=settings().database):  # `tenant` refuses what is no tenant id
        found, is_new = Tenant.objects.get_or_create(pk=tenant_id, defaults={"name": name, "weight": weight})
        before = None
        if not is_new:
            before = _state(found)
            with _for_operators():
                revived = Tenant.objects.filter(pk=tenant_id, is_active=False).update(
                    is_active=True, name=name, weight=weight, deactivated_at=None, deactivated_reason=""
                )
                if revived:  # away it had no ticks
                    its = ScheduledTask.objects.filter(tenant_id=tenant_id, next_at__isnull=False)
                    its.update(settled_to=Now(), next_at=Now())
            if not revived:
                raise Refused(f"Tenant {tenant_id} exists and is active: {found.name!r}. Choose another id.")
            found.refresh_from_db()
        _enter("add tenant", found, before=before, reason=reason)
    return found


def deactivate(tenant_id: int, reason: str = "") -> Tenant:
    """Let nothing more be enqueued for a tenant, none of its jobs be claimed, nor its sweeps visit it.

    `suspension.suspend` does this, and stops its jobs. Raises Refused when there is no such tenant or it is not active,
    NotAllowed as `add`.
    """
    left = {"is_active": False, "deactivated_at": Now(), "deactivated_reason": audit.storable(reason)}
    return _change("deactivate tenant", tenant_id, left, reason=reason)


def rename(tenant_id: int, name: str, reason: str = "") -> Tenant:
    """Call an active tenant something else. Raises Refused as `deactivate`, NotAllowed for who is no admin of it."""
    return _change("rename tenant", tenant_id, {"name": name}, reason=reason)


def weigh(tenant_id: int, weight: int, reason: str = "") -> Tenant:
    """Give an active tenant another share beside others. Raises Refused as `deactivate`, NotAllowed as `add`."""
    return _change("weigh tenant", tenant_id, {"weight": weight}, reason=reason)


def _change(act: str, tenant_id: int, wanted: dict[str, Any], *, reason: str) -> Tenant:
    membership.allow(act, tenant_id)
    with tenant(tenant_id), transaction.atomic(using=settings().database):
        was = Tenant.objects.filter(pk=tenant_id).first()
        if was is None:
            raise Refused(f"No tenant has the id {tenant_id}. `manage_task_queue tenants` lists them.")
        with _for_operators():
            changed = Tenant.objects.filter(pk=tenant_id, is_active=True).update(**wanted)
        if not changed:
            already = " already" if act == "deactivate tenant" else f"; `tenants add {tenant_id} NAME` brings it back"
            raise Refused(f"Tenant {tenant_id} ({was.name}) is not active{already}.")
        found = Tenant.objects.get(pk=tenant_id)
        _enter(act, found, before={**_state(was), "is_active": True}, reason=reason)
    return found


def _enter(act: str, found: Tenant, *, before: dict[str, object] | None, reason: str) -> None:
    audit.write(act, f"tenant {found.pk}", tenant_id=found.pk, reason=reason, before=before, after=_state(found))


@contextlib.contextmanager
def _for_operators() -> Iterator[None]:
    try:
        yield
    except ProgrammingError as error:
        if getattr(error.__cause__, "sqlstate", None) != "42501":  # insufficient_privilege
            raise
        raise NotAllowed(
            "A tenant's weight, and whether it is active, are for operators to set: `manage_task_queue tenants`, or "
            "`with roles.acting('ops'):` where the process has nothing else to do."
        ) from None


def _state(of: Tenant) -> dict[str, object]:
    return {"name": of.name, "weight": of.weight, "is_active": of.is_active}
