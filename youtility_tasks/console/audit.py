"""Every act of people and programs: who, when, what, why, and what it changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from youtility_tasks.documents import people as documents
from youtility_tasks.models import TaskAuditLog

from .table import page
from .visit import Shown, Visit

_A_PAGE = 50


@page("audit/", takes=("act", "actor", "before"))
def audit(visit: Visit) -> Shown:
    """Acts, newest first, by pages."""
    act, actor, before = visit.words.text("act"), visit.words.text("actor"), visit.words.number("before", least=1)
    rows = TaskAuditLog.objects.for_tenant(visit.tenant_id).of_act(act or None).of_actor(actor or None).before(before)
    found = [documents.act(each) for each in rows.order_by("-pk")[: _A_PAGE + 1]]
    shown = [{**each, "changes": _changes(each["before"], each["after"])} for each in found[:_A_PAGE]]
    older = found[_A_PAGE - 1]["id"] if len(found) > _A_PAGE else None
    return Shown("audit.html", "Audit", {"acts": shown, "act": act, "actor": actor, "older": older, "before": before})


def _changes(before: Any, after: Any) -> list[dict[str, Any]]:
    """What is different afterwards, a line a word; of what is new, or is no pair of states, all of it."""
    was = before if isinstance(before, Mapping) else {}
    now = after if isinstance(after, Mapping) else {}
    names = [*was, *(name for name in now if name not in was)]
    return [
        {"name": name, "before": was.get(name), "after": now.get(name), "was": name in was, "is": name in now}
        for name in names
        if was.get(name) != now.get(name) or (name in was) != (name in now)
    ]
