"""Stamps a job with its tenant on the way in, restores that tenant around the run, refuses to guess.

The tenant is a context variable: it follows threads started through asgiref and asyncio tasks, and it is never read
from a task's arguments. Tenant 0 in a job row means "every tenant": a sweep, which loops over tenants itself.
"""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Iterator

from django.db import transaction

from . import audit
from .conf import settings
from .errors import Refused, UnknownTenant
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
    """Work for no tenant in particular inside the block, whatever is set outside; for what the house does itself."""
    token = _current.set(None)
    try:
        yield
    finally:
        _current.reset(token)


def current_tenant() -> int | None:
    """The tenant of this context, or None."""
    return _current.get()


def tenants_in_scope() -> list[int]:
    """The current tenant alone, or every active one, by id: what a task declared `tenant="all"` loops over."""
    current = _current.get()
    if current is not None:
        return [current]
    return list(Tenant.objects.active().order_by("pk").values_list("pk", flat=True))


def add(tenant_id: int, name: str, *, weight: int = 1) -> Tenant:
    """A new tenant, or one that was deactivated and returns under this name and weight.

    Raises Refused when an active tenant has the id, UnknownTenant for an id that cannot be one.
    """
    with tenant(tenant_id), transaction.atomic(using=settings().database):  # `tenant` refuses what is no tenant id
        found, is_new = Tenant.objects.get_or_create(pk=tenant_id, defaults={"name": name, "weight": weight})
        before = None
        if not is_new:
            before = _state(found)
            revived = Tenant.objects.filter(pk=tenant_id, is_active=False).update(
                is_active=True, name=name, weight=weight
            )
            if not revived:
                raise Refused(f"Tenant {tenant_id} exists and is active: {found.name!r}. Choose another id.")
            found.refresh_from_db()
        audit.write("add tenant", f"tenant {tenant_id}", tenant_id=tenant_id, before=before, after=_state(found))
    return found


def deactivate(tenant_id: int) -> Tenant:
    """Let nothing more be enqueued for a tenant, nor its sweeps visit it; jobs that wait already still run.

    Raises Refused when there is no such tenant or it is not active.
    """
    with transaction.atomic(using=settings().database):
        changed = Tenant.objects.filter(pk=tenant_id, is_active=True).update(is_active=False)
        found = Tenant.objects.filter(pk=tenant_id).first()
        if found is None:
            raise Refused(f"No tenant has the id {tenant_id}. `manage_task_queue tenants` lists them.")
        if not changed:
            raise Refused(f"Tenant {tenant_id} ({found.name}) is not active already.")
        after = _state(found)
        before = {**after, "is_active": True}
        audit.write("deactivate tenant", f"tenant {tenant_id}", tenant_id=tenant_id, before=before, after=after)
    return found


def _state(of: Tenant) -> dict[str, object]:
    return {"name": of.name, "weight": of.weight, "is_active": of.is_active}
