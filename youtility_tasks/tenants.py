"""Stamps a job with its tenant on the way in, restores that tenant around the run, refuses to guess.

The tenant is a context variable: it follows threads started through asgiref and asyncio tasks, and it is never read
from a task's arguments. Tenant 0 in a job row means "every tenant": a sweep, which loops over tenants itself. To the
database (`tenancy/`) that is a tenant of its own: it may list the tenants, and sees nobody's rows.
"""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Iterator

from . import databases, running
from .conf import settings
from .errors import TenantElsewhere, TenantOfAnotherJob, UnknownTenant
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
    whether the tenant exists is asked by the first statement that writes for it. Raises TenantOfAnotherJob inside a job of
    another tenant: only a sweep's enters each.
    """
    if isinstance(tenant_id, bool) or not isinstance(tenant_id, int) or not 0 < tenant_id <= _LARGEST:
        raise UnknownTenant(f"A tenant is named by its id, a whole number from 1 to {_LARGEST}; given: {tenant_id!r}.")
    job = running.current.get()
    if job is not None and job.tenant_id not in (ALL, tenant_id):
        raise TenantOfAnotherJob(job.job_id, job.task_name, job.tenant_id, tenant_id)
    token = _current.set(tenant_id)
    try:
        with _where_it_lives(tenant_id):
            yield tenant_id
    finally:
        _current.reset(token)


def _where_it_lives(tenant_id: int) -> contextlib.AbstractContextManager[None]:
    if settings().tenant_databases is None:
        return contextlib.nullcontext()
    alias, bound = settings().alias_of(tenant_id), databases.bound()
    if bound is not None and alias != bound:
        raise TenantElsewhere(tenant_id, alias, bound)
    return databases.at(alias)


@contextlib.contextmanager
def no_tenant() -> Iterator[None]:
    """Work for no tenant in particular inside the block, whatever is set outside; for sweeps and what the house does itself."""
    token = _current.set(ALL)
    try:
        yield
    finally:
        _current.reset(token)


def whose(tenant_id: int) -> contextlib.AbstractContextManager[object]:
    """Work for the tenant of a row inside the block; 0: for no tenant in particular."""
    return tenant(tenant_id) if tenant_id != ALL else no_tenant()


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
        return list(Tenant.objects.using(settings().database).active().order_by("pk").values_list("pk", flat=True))
