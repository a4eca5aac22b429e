"""Tokens of the HTTP API: made and revoked, each act in the audit log; shown once, and stored as a digest.

A token is 256 random bits, so a plain SHA-256 of it is as safe as the token itself: a slow hash makes guessable passwords
dear to guess, and this cannot be guessed. A token says whose it is, and may say less than what its owner may: one tenant alone, or
a smaller role. What the owner may no longer, no token of theirs may either.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models.functions import Now

from . import audit, membership, payload, queries, tenants
from .conf import settings
from .errors import Refused
from .models import ApiToken, Role, Tenant

PREFIX = "ytt_"
"""What each begins with, so that who finds one in a file knows what it opens."""
LONGEST_DAYS = 3_650
USUAL_DAYS = 90
_LONGEST_NAME = 100
_FORM = re.compile(rf"{PREFIX}[A-Za-z0-9_-]{{43}}")


@dataclass(frozen=True, slots=True)
class Known:
    """Whose a token is."""

    token_id: int
    user_id: str
    cap: membership.Cap


def create(
    user: Any,
    name: str,
    *,
    tenant_id: int | None = None,
    role: str | None = None,
    days: int = USUAL_DAYS,
    reason: str = "",
) -> tuple[ApiToken, str]:
    """A new token of a person, good for so many days, and its text, which nobody can read again.

    Raises Refused for a name, a role or a number of days that cannot be, for an unknown tenant; NotAllowed for who is no admin
    of the tenant, or without a tenant no operator.
    """
    membership.allow("create token", tenant_id)
    _check(name, role, days)
    text = PREFIX + secrets.token_urlsafe(32)
    with _of(tenant_id), transaction.atomic(using=settings().database):
        if tenant_id is not None and not Tenant.objects.active().filter(pk=tenant_id).exists():
            raise Refused(f"No active tenant has the id {tenant_id}. `manage_task_queue tenants` lists them.")
        made = ApiToken.objects.create(
            digest=digest(text),
            name=name,
            user=user,
            username=user.get_username(),
            tenant_id=tenant_id,
            role=role or "",
            created_by=audit.actor(),
            expires_at=Now() + timedelta(days=days),
        )
        made.refresh_from_db(fields=["expires_at", "created_at"])
        _enter("create token", made, reason, before=None)
    return made, text


def revoke(token_id: int, reason: str = "") -> ApiToken:
    """Let a token open nothing any more, from the next request on. Raises Refused when there is none, or it is revoked already;
    NotAllowed as `create`."""
    tenant_id = tenants.current_tenant()
    with _of(tenant_id), transaction.atomic(using=settings().database):
        found = ApiToken.objects.shown().for_tenant(tenant_id).filter(pk=token_id).first()
        if found is None:
            raise Refused(f"No token has the id {token_id!r} here. `manage_task_queue tokens` lists them.")
        membership.allow("revoke token", found.tenant_id)
        before = _state(found)
        changed = ApiToken.objects.filter(pk=token_id, revoked_at=None).update(
            revoked_at=Now(), revoked_by=audit.actor()
        )
        if not changed:
            raise Refused(f"The token {found.name!r} of {found.username} was revoked already.")
        found = ApiToken.objects.shown().get(pk=token_id)
        _enter("revoke token", found, reason, before=before)
    return found


def listing() -> list[ApiToken]:
    """The current tenant's tokens (all, without one), the newest first; revoked and expired ones too."""
    return list(ApiToken.objects.shown().for_tenant(tenants.current_tenant()))


def find(text: str) -> Known | None:
    """Whose this token is; None if it is none, has expired or was revoked. Its use is noted, to the minute."""
    if not _FORM.fullmatch(text):
        return None
    for token_id, name, user_id, tenant_id, role in queries.fetch("api_token", {"digest": digest(text)}):
        return Known(token_id, user_id, membership.Cap(name, tenant_id, Role(role) if role else None))
    return None


def digest(text: str) -> str:
    """What is stored of a token."""
    return hashlib.sha256(text.encode()).hexdigest()


def user_named(username: str) -> Any:
    """The person who signs in with this name. Raises Refused when there is none."""
    people = get_user_model()
    found = people._default_manager.filter(**{people.USERNAME_FIELD: username}).first()
    if found is None:
        raise Refused(f"No user is called {username!r}; right is the name that they sign in with.")
    return found


def _check(name: str, role: str | None, days: int) -> None:
    if not name.strip() or len(name) > _LONGEST_NAME or payload.clean_text(name) != name:
        raise Refused(
            f"A token's name is {name!r:.120}; right are 1 to {_LONGEST_NAME} characters that say what it is for."
        )
    if role and role not in Role.values:
        raise Refused(f"No role is called {role!r}; right is {', '.join(Role.values[:-1])} or {Role.values[-1]}.")
    if isinstance(days, bool) or not isinstance(days, int) or not 1 <= days <= LONGEST_DAYS:
        raise Refused(f"A token is good for {days!r} days; right is a whole number from 1 to {LONGEST_DAYS}.")


def _of(tenant_id: int | None) -> Any:
    return tenants.nobody() if tenant_id is None else tenants.tenant(tenant_id)


def _enter(act: str, of: ApiToken, reason: str, *, before: dict[str, object] | None) -> None:
    audit.write(
        act, f"{of} (id {of.pk})", tenant_id=of.tenant_id, reason=reason, before=before, after=_state(of)
    )  # fmt: skip


def _state(of: ApiToken) -> dict[str, object]:
    return {
        "name": of.name,
        "username": of.username,
        "role": of.role,
        "expires_at": of.expires_at.isoformat(),
        "is_revoked": of.revoked_at is not None,
    }


def take(who: str) -> float:
    """Count one request of `who` ("token:7"); the seconds to wait where that is one too many, else 0. Holds over all processes."""
    limits = settings()
    parameters = {"who": who, "rate_per_s": limits.api_rate_per_s, "burst": limits.api_burst}
    ((wait_s,),) = queries.fetch("api_take", parameters)
    return float(wait_s)
