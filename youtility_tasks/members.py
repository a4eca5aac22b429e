"""Gives people their roles for a tenant, in our own table, and takes them away; each change is in the audit log.

Where the setting `membership_resolver` asks the application's models alone, roles are given there.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from django.contrib.auth import get_user_model
from django.db import transaction

from . import audit, membership
from .conf import settings
from .errors import Refused
from .models import Role, Tenant, TenantMembership
from .tenancy import roles
from .tenants import tenant


def grant(tenant_id: int, username: str, role: str, reason: str = "") -> TenantMembership:
    """Give somebody a role for a tenant, instead of the one they had.

    Raises Refused when there is no such person, tenant or role, NotAllowed for a person who is no admin of the tenant.
    """
    membership.allow("grant role", tenant_id)
    if role not in Role.values:
        raise Refused(f"No role is called {role!r}; right is {', '.join(Role.values[:-1])} or {Role.values[-1]}.")
    with tenant(tenant_id), transaction.atomic(using=settings().database):
        user = _user(username)
        if not Tenant.objects.filter(pk=tenant_id).exists():
            raise Refused(f"No tenant has the id {tenant_id}. `manage_task_queue tenants` lists them.")
        made, is_new = TenantMembership.objects.select_for_update().get_or_create(
            tenant_id=tenant_id, user=user, defaults={"role": role}
        )
        before = None if is_new else _state(made)
        if made.role != role:
            made.role = Role(role)
            made.save(update_fields=["role"])
        _enter("grant role", made, username, reason, before=before, after=_state(made))
    return made


def revoke(tenant_id: int, username: str, reason: str = "") -> None:
    """Take away whatever role somebody has for a tenant. Raises Refused when there is none, NotAllowed as `grant`."""
    membership.allow("revoke role", tenant_id)
    with tenant(tenant_id), transaction.atomic(using=settings().database):
        rows = TenantMembership.objects.select_for_update().filter(tenant_id=tenant_id)
        found = rows.filter(user=_user(username)).first()
        if found is None:
            raise Refused(
                f"{username!r} has no role for tenant {tenant_id}. `tenants members {tenant_id}` lists who has."
            )
        _enter("revoke role", found, username, reason, before=_state(found), after=None)
        found.delete()


def listing(tenant_id: int) -> list[tuple[str, Role]]:
    """Who has which role for a tenant, by name."""
    with tenant(tenant_id):
        rows = dict(TenantMembership.objects.filter(tenant_id=tenant_id).values_list("user_id", "role"))
        with _who_is_who():
            people = list(get_user_model()._default_manager.filter(pk__in=rows))
        return sorted((each.get_username(), Role(rows[each.pk])) for each in people)


@contextlib.contextmanager
def _who_is_who() -> Iterator[None]:
    """The people are the application's, whose tables an operator's connection may not read: they are asked for as at signing in."""
    with roles.acting_here("web", beside=True) if roles.acting_as() == "ops" else contextlib.nullcontext():
        yield


def _user(username: str) -> Any:
    people = get_user_model()
    with _who_is_who():
        found = people._default_manager.filter(**{people.USERNAME_FIELD: username}).first()
    if found is None:
        raise Refused(f"No user is called {username!r}; right is the name that they sign in with.")
    return found


def _enter(
    act: str,
    of: TenantMembership,
    username: str,
    reason: str,
    *,
    before: dict[str, object] | None,
    after: dict[str, object] | None,
) -> None:
    target = f"{username} in tenant {of.tenant_id}"
    audit.write(act, target, tenant_id=of.tenant_id, reason=reason, before=before, after=after)


def _state(of: TenantMembership) -> dict[str, object]:
    return {"user_id": of.user_id, "role": of.role}
