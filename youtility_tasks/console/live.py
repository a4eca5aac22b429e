"""What pages ask for every few seconds, for one small statement: neither the session nor a membership is asked.

The page carries a token: for whom it was made, where they may look, what for. It holds for two minutes, and only beside the session's
cookie that it was made for. Who may no longer look gets no other one from the page, a part of which brings the next one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

from django.conf import settings as settings_of_django
from django.core import signing
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare, salted_hmac

from youtility_tasks import problems, visits
from youtility_tasks.middleware import FINDS_OUT_ITSELF
from youtility_tasks.models import Role
from youtility_tasks.visits import Place

from .door import headed
from .visit import Visit

_SALT = "youtility_tasks.console.live"
LASTS_S = 120
"""The part of the page that brings the next token comes sooner, and asks anew who one is."""


def token(visit: Visit, what: str, **said: Any) -> str:
    """For one kind of look ("pulse", ...): what the page gives back each time."""
    whose = {"by": _session(visit.request), "tenant": visit.tenant_id, "role": visit.place.role, "what": what}
    return signing.dumps(whose | said, salt=_SALT, compress=True)


def view(what: str, answer: Callable[[HttpRequest, Mapping[str, Any]], HttpResponse]) -> Callable[..., HttpResponse]:
    """The view of one kind of look: `answer` is given what the token says; 204 for a token that holds no more."""

    @transaction.non_atomic_requests
    def look(request: HttpRequest) -> HttpResponse:
        try:
            said = _read(request, what)
            return headed(HttpResponse(status=204) if said is None else answer(request, said))
        except Exception as error:  # the database is away, say: nothing is shown, and the page asks again
            return headed(HttpResponse(status=problems.of(error).status))

    setattr(look, FINDS_OUT_ITSELF, True)
    return look


def entered(said: Mapping[str, Any]) -> AbstractContextManager[None]:
    """In the place that the token was made for."""
    role = said["role"]
    return visits.entered(Place(said["tenant"], Role(role) if role else None), None)


def _read(request: HttpRequest, what: str) -> dict[str, Any] | None:
    if request.method != "GET":
        return None
    try:
        said: dict[str, Any] = signing.loads(request.GET.get("token", ""), salt=_SALT, max_age=LASTS_S)
    except signing.BadSignature:
        return None
    return said if said["what"] == what and constant_time_compare(said["by"], _session(request)) else None


def _session(request: HttpRequest) -> str:
    """What tells this session from others, and is not its key."""
    return salted_hmac(_SALT, request.COOKIES.get(settings_of_django.SESSION_COOKIE_NAME, "")).hexdigest()[:32]
