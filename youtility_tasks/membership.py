"""Who may see or act for which tenant: asked of our own table, or of the application's models through a resolver.

`YOUTILITY_TASKS["membership_resolver"]` names a function of one argument, the user, that returns tenant ids with roles.
Where the application's people belong to one client, it is three lines::

    def memberships_of(user):
        role = "operator" if user.is_staff else "viewer"
        return {user.client_id: role} if user.client_id else {}
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from django.utils.module_loading import import_string

from . import tenants
from .conf import settings
from .errors import ConfigurationError, NotAllowed
from .models import Role, Tenant, TenantMembership

OPS = "youtility_tasks.ops"
"""The permission of those who operate every tenant's jobs."""

_RANKS = list(Role)

Resolver = Callable[[Any], Mapping[int, str]]


def memberships_of(user: Any) -> dict[int, Role]:
    """The active tenants that a user may see, and in which role; empty for somebody who is not signed in or not active.

    Raises ConfigurationError when the application's resolver returns something else.
    """
    if not (getattr(user, "is_authenticated", False) and getattr(user, "is_active", False)):
        return {}
    with tenants.no_tenant():  # who somebody is must be known before for which tenant he acts
        return _memberships_of(user)


def _memberships_of(user: Any) -> dict[int, Role]:
    given = _resolver()(user)
    if not isinstance(given, Mapping):
        raise ConfigurationError(_SAYS.format(settings().membership_resolver, given))
    roles = {tenant_id: _role(tenant_id, role) for tenant_id, role in given.items()}
    active = Tenant.objects.active().filter(pk__in=roles).order_by("pk").values_list("pk", flat=True)
    return {tenant_id: roles[tenant_id] for tenant_id in active}


def is_ops(user: Any) -> bool:
    """Whether a user operates every tenant's jobs (metadata, not contents)."""
    return bool(getattr(user, "is_active", False)) and bool(user.has_perm(OPS))


def role_in(user: Any, tenant_id: int) -> Role | None:
    """A user's role for a tenant; None when there is none."""
    return memberships_of(user).get(tenant_id)


def require(user: Any, tenant_id: int, at_least: Role) -> Role:
    """The user's role for a tenant.

    Raises NotAllowed when it is less than that or there is none; the text is the same whether the tenant exists or not.
    """
    role = role_in(user, tenant_id)
    if role is None or _RANKS.index(role) < _RANKS.index(at_least):
        raise NotAllowed(
            f"This takes the role {at_least.value} for tenant {tenant_id}; an admin of the tenant gives it."
        )
    return role


_SAYS = "YOUTILITY_TASKS['membership_resolver'] ({}) returned {!r:.200}; right is a dict such as {{7: 'operator'}}."


def _role(tenant_id: object, role: object) -> Role:
    if isinstance(tenant_id, bool) or not isinstance(tenant_id, int) or role not in Role.values:
        raise ConfigurationError(
            _SAYS.format(settings().membership_resolver, {tenant_id: role}) + f" Roles: {', '.join(Role.values)}."
        )
    return Role(str(role))


def from_table(user: Any) -> Mapping[int, str]:
    """What the table `TenantMembership` says of a user; for a resolver that adds to it."""
    return dict(TenantMembership.objects.filter(user_id=user.pk).values_list("tenant_id", "role"))


def _resolver() -> Resolver:
    name = settings().membership_resolver
    return from_table if name is None else _imported(name)


@functools.cache
def _imported(name: str) -> Resolver:
    try:
        found = import_string(name)
    except ImportError as error:
        raise ConfigurationError(f"YOUTILITY_TASKS['membership_resolver'] is {name!r}: {error}") from error
    if not callable(found):
        raise ConfigurationError(f"YOUTILITY_TASKS['membership_resolver'] is {name!r}, which is no function of a user.")
    resolver: Resolver = found
    return resolver
