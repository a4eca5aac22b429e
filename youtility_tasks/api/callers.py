"""Who calls, by a token or by a session."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import CsrfViewMiddleware

from youtility_tasks import membership, tenants, tokens
from youtility_tasks.middleware import CHOSEN
from youtility_tasks.problems import Problem

_SAFE = {"GET", "HEAD"}


@dataclass(frozen=True, slots=True)
class Caller:
    """A person, and what counts their requests."""

    user: Any
    counted_as: str
    chosen: int | None
    """The tenant that their session has chosen."""


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
