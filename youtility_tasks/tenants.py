"""Stamps a job with its tenant on the way in, restores that tenant around the run, refuses to guess.

The tenant is a context variable: it follows threads started through asgiref and asyncio tasks, and it is never read
from a task's arguments. Tenant 0 in a job row means "every tenant": a sweep, which loops over tenants itself. To the
database (`tenancy/`) that is a tenant of its own: it may list the tenants, and sees nobody's rows.
"""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Iterator

from django.db import ProgrammingError, transaction
from django.db.models.functions import Now

from . import audit
from .conf import settings
from .errors import NotAllowed, Refused, UnknownTenant
from .models import Tenant

ALL = 0
"""The tenant id of jobs that serve every tenant."""
_LARGEST = 2**31 - 1
"""Its column."""

_current: contextvars.ContextVar[int | None] = contextvars.ContextVar("youtility_tasks_tenant", default=None)


@contextlib.contextmanager
def tenant(tenant_id: int) -> Iterator[int]:
    """Work for one tenant inside the block: `with tenant(7): task.enqueue(...)`.

    Blocks nest; the inner one wins until it ends. Raises UnknownTenant for anything that is not a positive integer;
    whether the tenant exists is asked by the first statement that writes for it.
    """
    if isinstance(tenant_id, bool) or not isinstance(tenant_id, int) or not 0 < tenant_id <= _LARGEST:
        raise UnknownTenant(f"A tenant is named by its id, a whole number from 1 to {_LARGEST}; given: {tenant_id!r}.")
    token = _current.set(tenant_id)
    try:
        yield tenant_id
    finally:
        _current.reset(token)


@contextlib.contextmanager
def no_tenant() -> Iterator[None]:
    """Work for no tenant in particular inside the block, whatever is set outside; for sweeps and what the house does itself."""
    token = _current.set(ALL)
    try:
        yield
    finally:
        _current.reset(token)


@contextlib.contextmanager
def nobody() -> Iterator[None]:
    """Work for nobody inside the block: a web request of somebody who belongs to no tenant."""
    token = _current.set(None)
    try:
        yield
    finally:
        _current.reset(token)


def current_tenant() -> int | None:
    """The tenant of this context, or None."""
    return _current.get() or None


def acting() -> int | None:
    """For whom the database is told that this context acts: a tenant, 0 for a sweep, None for nobody."""
    return _current.get()


def tenants_in_scope() -> list[int]:
    """The current tenant alone, or every active one, by id: what a task declared `tenant="all"` loops over."""
    current = current_tenant()
    if current is not None:
        return [current]
    with no_tenant():
        return list(Tenant.objects.active().order_by("pk").values_list("pk", flat=True))


def add(tenant_id: int, name: str, *, weight: int = 1) -> Tenant:
    """A new tenant, or one that was deactivated and returns under this name and weight.

    Raises Refused when an active tenant has the id, UnknownTenant for an id that cannot be one, NotAllowed where the setting
    `roles` is used and this process is not an operator's.
    """
    with tenant(tenant_id), transaction.atomic(using=settings().database):  # `tenant` refuses what is no tenant id
        found, is_new = Tenant.objects.get_or_create(pk=tenant_id, defaults={"name": name, "weight": weight})
        before = None
        if not is_new:
            before = _state(found)
            with _for_operators():
                revived = Tenant.objects.filter(pk=tenant_id, is_active=False).update(
                    is_active=True, name=name, weight=weight, deactivated_at=None, deactivated_reason=""
                )
            if not revived:
                raise Refused(f"Tenant {tenant_id} exists and is active: {found.name!r}. Choose another id.")
            found.refresh_from_db()
        audit.write("add tenant", f"tenant {tenant_id}", tenant_id=tenant_id, before=before, after=_state(found))
    return found


def deactivate(tenant_id: int, reason: str = "") -> Tenant:
    """Let nothing more be enqueued for a tenant, none of its jobs be claimed, nor its sweeps visit it.

    `suspension.suspend` does this, and stops its jobs. Raises Refused when there is no such tenant or it is not active,
    NotAllowed as `add`.
    """
    left = {
        "is_active": False,
        "deactivated_at": Now(),
        "deactivated_reason": audit.storable(reason),
    }
    with tenant(tenant_id), transaction.atomic(using=settings().database):
        with _for_operators():
            changed = Tenant.objects.filter(pk=tenant_id, is_active=True).update(**left)
        found = Tenant.objects.filter(pk=tenant_id).first()
        if found is None:
            raise Refused(f"No tenant has the id {tenant_id}. `manage_task_queue tenants` lists them.")
        if not changed:
            raise Refused(f"Tenant {tenant_id} ({found.name}) is not active already.")
        after = _state(found)
        before = {**after, "is_active": True}
        audit.write(
            "deactivate tenant",
            f"tenant {tenant_id}",
            tenant_id=tenant_id,
            reason=reason,
            before=before,
            after=after,
        )
    return found


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
