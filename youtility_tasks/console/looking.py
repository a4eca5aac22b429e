"""Enters in a tenant's audit log that an operator of all tenants has looked at what is the tenant's own."""

from __future__ import annotations

import time

from youtility_tasks import audit

from .visit import Visit

_SEEN = "youtility_tasks_contents_seen"
_AGAIN_S = 900
"""The same page of the same session is entered once in so many seconds."""
_MOST_KEPT = 50


def enter_contents(visit: Visit, target: str) -> None:
    """Enter "view payload" of this ("job 5 (send_report)") if the visitor is an operator, with a role for the tenant or without.

    Call it where contents are shown, in the transaction that reads them. Parts that are asked for again and again are not entered.
    """
    if visit.part or visit.tenant_id is None or not visit.sees_contents or not visit.is_operator:
        return
    key, now = f"{visit.tenant_id} {target}", time.time()
    seen: dict[str, float] = visit.request.session.get(_SEEN, {})
    if now - seen.get(key, 0) <= _AGAIN_S:
        return
    audit.write("view payload", target, tenant_id=visit.tenant_id, after={"page": visit.request.path})
    recent = sorted(((at, each) for each, at in seen.items() if now - at <= _AGAIN_S), reverse=True)[:_MOST_KEPT]
    visit.request.session[_SEEN] = {each: at for at, each in recent} | {key: now}
