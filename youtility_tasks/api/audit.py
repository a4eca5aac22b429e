"""The audit log: who did what, and why."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from youtility_tasks.documents import people as documents
from youtility_tasks.models import TaskAuditLog

from . import words
from .endpoints import endpoint
from .words import Given


class AuditQuery(words.Paged):
    act: Annotated[str, Field(min_length=1, max_length=40)] | None = Field(
        None, description="pause, retry, grant role, ..."
    )


class Act(Given):
    id: int
    at: str
    actor: str
    act: str
    target: str
    tenant: int | None
    reason: str
    before: Any
    after: Any


class Acts(Given):
    acts: list[Act]
    next: str | None


@endpoint("GET", "audit/", query=AuditQuery, gives=Acts)
def list_acts(query: AuditQuery, place: Any) -> dict[str, Any]:
    """Acts of people and programs, newest first, by pages."""
    rows = TaskAuditLog.objects.for_tenant(place.tenant_id).of_act(query.act).before(query.before_id).order_by("-pk")
    page, following = words.page_of(list(rows[: query.limit + 1]), query.limit, lambda row: int(row.pk))
    return {"acts": [documents.act(each) for each in page], "next": following}
