"""Says how many jobs are newer than those that a page shows: asked every few seconds by whoever looks (`live` says how)."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html

from youtility_tasks import newer
from youtility_tasks.listing import JobFilter
from youtility_tasks.status import JobStatus

from . import live
from .visit import Visit

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
    return live.token(
        visit, "pulse", newest=newest_id, opened=begun, queue=asked.queue_name, tasks=list(asked.task_names),
        statuses=[each.value for each in asked.statuses],
    )  # fmt: skip


def _answer(request: HttpRequest, said: Mapping[str, Any]) -> HttpResponse:
    """The words of the pill; nothing while there is nothing new."""
    with live.entered(said):
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


pulse = live.view("pulse", _answer)


def _page(request: HttpRequest) -> str:
    """Where the pill leads: the page that asks, as it says itself."""
    back = request.GET.get("page", "")
    return back if back.startswith("?") else "?"
