"""Says how many jobs are newer than those that a page shows, for one small statement: asked every two seconds by whoever looks.

The page carries a token: for whom it was made, where they may look, what for, and until when. It holds only beside the session's cookie
that it was made for, so neither the session nor a membership is asked. Who may no longer look gets no other one from the page.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings as settings_of_django
from django.core import signing
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare, salted_hmac
from django.utils.html import format_html

from youtility_tasks import newer, problems, visits
from youtility_tasks.listing import JobFilter
from youtility_tasks.middleware import FINDS_OUT_ITSELF
from youtility_tasks.models import Role
from youtility_tasks.status import JobStatus
from youtility_tasks.visits import Place

from .door import headed
from .visit import Visit

_SALT = "youtility_tasks.console.pulse"
LASTS_S = 120
"""The part of the page that brings the next token comes sooner, and asks anew who one is."""
LONGEST_S = 3_600
"""So long after it was opened, a page is told no more: what is newer would take longer to count."""
_CLOCKS_DIFFER = timedelta(minutes=5)


def now() -> int:
    """For the page: when it was opened."""
    return int(time.time())


def token(visit: Visit, asked: JobFilter, newest_id: int, *, opened: int | None = None) -> str | None:
    """What the page gives back each time; None once it has been open for long."""
    begun = min(opened or now(), now())
    if now() - begun > LONGEST_S:
        return None
    said = {
        "by": _session(visit.request),
        "tenant": visit.tenant_id,
        "role": visit.place.role,
        "newest": newest_id,
        "opened": begun,
        "queue": asked.queue_name,
        "tasks": list(asked.task_names),
        "statuses": [each.value for each in asked.statuses],
    }
    return signing.dumps(said, salt=_SALT, compress=True)


@transaction.non_atomic_requests
def pulse(request: HttpRequest) -> HttpResponse:
    """The words of the pill; nothing while there is nothing new, and nothing for a token that holds no more."""
    try:
        return headed(_answer(request))
    except Exception as error:  # the database is away, say: nothing is shown, and the page asks again
        return headed(HttpResponse(status=problems.of(error).status))


setattr(pulse, FINDS_OUT_ITSELF, True)


def _answer(request: HttpRequest) -> HttpResponse:
    said = _read(request)
    if said is None:
        return HttpResponse(status=204)
    role = said["role"]
    with visits.entered(Place(said["tenant"], Role(role) if role else None), None):
        found = newer.count(
            said["newest"],
            since=datetime.fromtimestamp(said["opened"], UTC) - _CLOCKS_DIFFER,
            tenant_id=said["tenant"],
            queue_name=said["queue"],
            task_names=said["tasks"],
            statuses=[JobStatus(each) for each in said["statuses"]],
        )
    more = "+" if found >= newer.COUNTED_UP_TO else ""
    text = format_html('<a class="button" href="{}">{}{} new</a>', _page(request), found, more) if found else ""
    return HttpResponse(text)


def _read(request: HttpRequest) -> dict[str, Any] | None:
    if request.method != "GET":
        return None
    try:
        said: dict[str, Any] = signing.loads(request.GET.get("token", ""), salt=_SALT, max_age=LASTS_S)
    except signing.BadSignature:
        return None
    return said if constant_time_compare(said["by"], _session(request)) else None


def _session(request: HttpRequest) -> str:
    """What tells this session from others, and is not its key."""
    return salted_hmac(_SALT, request.COOKIES.get(settings_of_django.SESSION_COOKIE_NAME, "")).hexdigest()[:32]


def _page(request: HttpRequest) -> str:
    """Where the pill leads: the page that asks, as it says itself."""
    back = request.GET.get("page", "")
    return back if back.startswith("?") else "?"
