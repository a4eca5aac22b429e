"""Who may see or act for which tenant: asked of our own table, or of the application's models through a resolver.

Acts ask `allow` themselves, so no page has to remember it: inside `acting(user)`, which `TenantMiddleware` puts around each
request, a person does what their role allows. Tasks, commands and code outside of requests act on their own authority.

`YOUTILITY_TASKS["membership_resolver"]` names a function of one argument, the user, that returns tenant ids with roles.
Where the application's people belong to one client, it is three lines::

    def memberships_of(user):
        role = "operator" if user.is_staff else "viewer"
        return {user.client_id: role} if user.client_id else {}
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.module_loading import import_string

from . import audit, tenants
from .conf import settings
from .errors import ConfigurationError, NotAllowed
from .models import Role, Tenant, TenantMembership

OPS = "youtility_tasks.ops"
"""The permission of those who operate every tenant's jobs."""

NEEDS: Mapping[str, Role | None] = {
    **dict.fromkeys(("run", "cancel", "retry", "discard", "pause", "resume"), Role.OPERATOR),
    **dict.fromkeys(("start workflow", "signal workflow", "cancel workflow", "retry workflow"), Role.OPERATOR),
    **dict.fromkeys(("redrive", "stop redrive"), Role.OPERATOR),
    **dict.fromkeys(("abort", "change priority", "run now", "stop operation", "undo operation"), Role.OPERATOR),
    **dict.fromkeys(("run schedule", "pause schedule", "resume schedule"), Role.OPERATOR),
    **dict.fromkeys(("create schedule", "change schedule", "remove schedule"), Role.ADMIN),
    **dict.fromkeys(("add holiday", "remove holiday", "set zone"), Role.ADMIN),
    **dict.fromkeys(("limit", "rename tenant", "grant role", "revoke role"), Role.ADMIN),
    **dict.fromkeys(("create token", "revoke token"), Role.ADMIN),
    **dict.fromkeys(("add tenant", "deactivate tenant", "weigh tenant"), None),
    **dict.fromkeys(("route", "move"), None),
    **dict.fromkeys(("quiet worker", "drain worker", "resume worker"), None),
}
"""Act -> the role that a person needs for it in the tenant concerned; None: the permission OPS, as for all tenants at once."""

_RANKS = list(Role)
_APPLICATION = object()
_NOBODY = "somebody who is not signed in"

_person: contextvars.ContextVar[Any] = contextvars.ContextVar("youtility_tasks_person", default=_APPLICATION)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Cap:
    """What narrows a person to less than they may: a token that was made for one tenant, or with a smaller role."""

    name: str
    """The token's, for the audit log."""
    tenant_id: int | None = None
    role: Role | None = None

    @property
    def is_narrow(self) -> bool:
        """Whether it takes anything away."""
        return self.tenant_id is not None or self.role is not None


def put_under(user: Any, cap: Cap) -> Any:
    """The same person, from now on with no more than the cap leaves them; of one request alone, so not for a cached object."""
    user._youtility_tasks_cap = cap
    return user


def _cap_of(user: Any) -> Cap | None:
    return getattr(user, "_youtility_tasks_cap", None)


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
    resolver = _resolver()
    given = _active_from_table(user) if resolver is from_table else resolver(user)
    if not isinstance(given, Mapping):
        raise ConfigurationError(_SAYS.format(settings().membership_resolver, given))
    roles = {tenant_id: _role(tenant_id, role) for tenant_id, role in given.items()}
    cap = _cap_of(user)
    if cap is not None and cap.tenant_id is not None:
        roles = {tenant_id: role for tenant_id, role in roles.items() if tenant_id == cap.tenant_id}
    if cap is not None and cap.role is not None:
        roles = {tenant_id: min(role, cap.role, key=_RANKS.index) for tenant_id, role in roles.items()}
    if resolver is from_table:
        return roles
    active = Tenant.objects.active().filter(pk__in=roles).order_by("pk").values_list("pk", flat=True)
    return {tenant_id: roles[tenant_id] for tenant_id in active}


def is_ops(user: Any) -> bool:
    """Whether a user operates every tenant's jobs (metadata, not contents)."""
    cap = _cap_of(user)
    if cap is not None and cap.is_narrow:
        return False
    return bool(getattr(user, "is_active", False)) and bool(user.has_perm(OPS))


def role_in(user: Any, tenant_id: int) -> Role | None:
    """A user's role for a tenant; None when there is none."""
    return memberships_of(user).get(tenant_id)


def require(user: Any, tenant_id: int, at_least: Role) -> Role:
    """The user's role for a tenant.

    Raises NotAllowed when it is less than that or there is none; the text is the same whether the tenant exists or not.
    """
    role = role_in(user, tenant_id)
    if role is None or not _reaches(role, at_least):
        raise NotAllowed(_takes("This", at_least, tenant_id, user, role))
    return role


# -- acts


@contextlib.contextmanager
def acting(user: Any) -> Iterator[None]:
    """Inside the block this person acts: what their role does not allow is refused, and the audit log has their name.

    `user` may be anonymous, or None: then nothing in NEEDS is allowed.
    """
    token = _person.set(user)
    try:
        with audit.acting(_name(user)):
            yield
    finally:
        _person.reset(token)


@contextlib.contextmanager
def by_the_application() -> Iterator[None]:
    """Inside the block the application acts on its own authority, whoever sent the request: the audit log keeps their name."""
    token = _person.set(_APPLICATION)
    try:
        yield
    finally:
        _person.reset(token)


def allow(act: str, tenant_id: int | None) -> None:
    """Ask whether who acts here may do this for a tenant (None, or 0: for all of them); one of NEEDS.

    Raises NotAllowed for a person whose role does not reach so far; outside of `acting` nobody is asked.
    """
    user = _person.get()
    if user is not _APPLICATION:
        _ask(user, act, tenant_id)


def may(user: Any, act: str, tenant_id: int | None) -> bool:
    """Whether `allow` would let this person: for a page that shows only what is allowed."""
    try:
        _ask(user, act, tenant_id)
    except NotAllowed:
        return False
    return True


def covers(role: Role | None, act: str) -> bool:
    """Whether this role reaches so far in its tenant; what takes OPS no role does."""
    needed = NEEDS[act]
    return role is not None and needed is not None and _reaches(role, needed)


def enter_refusal(refused: NotAllowed) -> None:
    """Leave a line in the log, and a row in the tenant's audit log, that somebody was refused; after the transaction it was in."""
    logger.warning("refused by=%r reason=%s", audit.actor(), refused)
    current = tenants.current_tenant()
    if settings().roles is None or current is not None:  # nobody's acts are entered by nobody
        audit.write("refused", str(refused), tenant_id=current)


def _ask(user: Any, act: str, tenant_id: int | None) -> None:
    needed = NEEDS[act]
    if is_ops(user):
        return
    if needed is None or not tenant_id:
        whose = "" if tenant_id else " for every tenant"
        raise NotAllowed(f"{act!r}{whose} takes the permission {OPS!r}, which {_name(user)} has not.")
    role = role_in(user, tenant_id)
    if role is None or not _reaches(role, needed):
        raise NotAllowed(_takes(repr(act), needed, tenant_id, user, role))


def _takes(act: str, needed: Role, tenant_id: int, user: Any, role: Role | None) -> str:
    return (
        f"{act} takes the role {needed.value} for tenant {tenant_id}, and {_name(user)} has {role.value if role else 'none'}; "
        "an admin of the tenant gives it."
    )


def _reaches(role: Role, needed: Role) -> bool:
    return _RANKS.index(role) >= _RANKS.index(needed)


def _name(user: Any) -> str:
    if not getattr(user, "is_authenticated", False):
        return _NOBODY
    cap = _cap_of(user)
    return f"{user.get_username()} (token {cap.name})" if cap is not None else str(user.get_username())


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


def _active_from_table(user: Any) -> Mapping[int, str]:
    """The same of active tenants alone, by id: one statement, as every request asks."""
    its = TenantMembership.objects.filter(user_id=user.pk, tenant__is_active=True).order_by("tenant_id")
    return dict(its.values_list("tenant_id", "role"))


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
