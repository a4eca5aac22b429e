"""Who calls, by a token or by a session; and for which tenant the request works."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.conf import settings as settings_of_django
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import CsrfViewMiddleware

from youtility_tasks import audit, membership, tenants, tokens
from youtility_tasks.conf import settings
from youtility_tasks.errors import ConfigurationError
from youtility_tasks.middleware import CHOSEN
from youtility_tasks.models import Role
from youtility_tasks.tenancy import roles
from youtility_tasks.tenants import ALL

from .problems import Problem

_SAFE = {"GET", "HEAD"}


@dataclass(frozen=True, slots=True)
class Caller:
    """A person, and what counts their requests."""

    user: Any
    counted_as: str
    chosen: int | None
    """The tenant that their session has chosen."""


@dataclass(frozen=True, slots=True)
class Place:
    """For whom a request works: a tenant in which its caller has a role; or as an operator the sweeps (tenant 0), whose rows
    are no tenant's, one tenant's metadata, or everybody's."""

    tenant_id: int | None
    role: Role | None
    """None: as an operator."""

    @property
    def is_of_sweeps(self) -> bool:
        """Whether it is for the sweeps."""
        return self.tenant_id == ALL

    @property
    def is_ops(self) -> bool:
        """Whether it sees metadata alone."""
        return self.role is None and not self.is_of_sweeps


def authenticate(request: HttpRequest) -> Caller:
    """Who sent this. Raises Problem 401, or 403 for a session's request without its CSRF token. A request with a token is its
    token's alone, whatever session it has beside it."""
    header = request.headers.get("Authorization")
    return _by_token(header) if header is not None else _by_session(request)


def _by_token(header: str) -> Caller:
    scheme, _, text = header.partition(" ")
    if scheme.lower() != "bearer":
        raise _unauthenticated(f"The scheme is {scheme[:20]!r}; right is Authorization: Bearer ytt_...")
    with tenants.no_tenant():
        known = tokens.find(text.strip())
        user = _user(known.user_id) if known is not None else None
    if known is None or user is None:
        raise _unauthenticated(
            "The token is none, has expired, or was revoked. `manage_task_queue tokens` makes another."
        )
    return Caller(membership.put_under(user, known.cap), f"token:{known.token_id}", None)


def _user(user_id: str) -> Any:
    try:
        return get_user_model()._default_manager.filter(pk=user_id, is_active=True).first()
    except (ValueError, ValidationError):
        return None


def _by_session(request: HttpRequest) -> Caller:
    user: Any = getattr(request, "user", None)
    if user is None and request.COOKIES.get(settings_of_django.SESSION_COOKIE_NAME):
        raise OperationalError("a session could not be read")
    if not (getattr(user, "is_authenticated", False) and getattr(user, "is_active", False)):
        raise _unauthenticated("Nobody is signed in. Send Authorization: Bearer ytt_..., or a session's cookie.")
    if request.method not in _SAFE:
        _check_csrf(request)
    chosen = getattr(request, "session", {}).get(CHOSEN)
    return Caller(user, f"user:{user.pk}"[:64], chosen if isinstance(chosen, int) else None)


def _check_csrf(request: HttpRequest) -> None:
    check = CsrfViewMiddleware(lambda _: HttpResponse())
    check.process_request(request)
    if check.process_view(request, lambda _: HttpResponse(), (), {}) is not None:
        raise Problem(
            403, "csrf", "CSRF token missing or wrong",
            "A session's request that changes something carries the cookie's CSRF token in the header X-CSRFToken. A program uses a token "
            "(Authorization: Bearer) instead.",
        )  # fmt: skip


def _unauthenticated(detail: str) -> Problem:
    return Problem(401, "unauthenticated", "Not signed in", detail, {"WWW-Authenticate": 'Bearer realm="tasks"'})


# -- for which tenant


def place(caller: Caller, wanted: int | None) -> Place:
    """Where the caller works: in the tenant that is wanted, else the one they have (chosen); else as an operator, if they are.

    Raises Problem 403; the text is the same whether a tenant exists or not.
    """
    its = membership.memberships_of(caller.user)
    here = wanted
    if here is None:
        here = next(iter(its)) if len(its) == 1 else caller.chosen if caller.chosen in its else None
    if here is not None and here in its:
        return Place(here, its[here])
    if here == ALL and not membership.is_ops(caller.user):
        raise Problem(
            403, "not-allowed", "Not allowed", f"The sweeps are for who has the permission {membership.OPS!r}."
        )
    if membership.is_ops(caller.user):
        return Place(here, None)
    if here is None and its:
        known = ", ".join(map(str, its))
        raise Problem(403, "which-tenant", "Which tenant?", f"You belong to several tenants ({known}): add ?tenant=ID.")
    whose = f"for tenant {here}" if here is not None else "for any tenant"
    raise Problem(403, "not-allowed", "Not allowed", f"You have no role {whose}; an admin of the tenant gives one.")


@contextlib.contextmanager
def entered(where: Place | None, caller: Caller) -> Iterator[None]:
    """The caller acts inside the block, in that place; in none, without rows. The database is told so where roles are used."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(membership.acting(caller.user))
        if where is not None and where.is_ops:
            stack.enter_context(_as_operator())
        if where is None or where.tenant_id is None:
            stack.enter_context(tenants.nobody())
        else:
            stack.enter_context(tenants.no_tenant() if where.is_of_sweeps else tenants.tenant(where.tenant_id))
        yield


@contextlib.contextmanager
def _as_operator() -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(roles.acting_here("ops"))
        except ConfigurationError as error:
            raise Problem(403, "no-operators", "No operators here", f"{error} Or add ?tenant=ID.") from None
        yield


def enter_look(where: Place, what: str, said: dict[str, Any]) -> None:
    """Who looks as an operator, or acts as one, is in the audit log (the tenant's own, if it is one), where the database keeps
    tenants apart."""
    if where.is_ops and settings().roles is not None:
        act = "for all tenants" if where.tenant_id is None else "as an operator"
        audit.write(act, what, tenant_id=where.tenant_id, after=said)
