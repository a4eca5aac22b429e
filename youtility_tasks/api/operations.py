"""Operations: an act on all jobs that a filter means, previewed, begun, followed, stopped and undone."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from youtility_tasks import operations, search
from youtility_tasks.audit import LONGEST_REASON
from youtility_tasks.documents import operations as documents
from youtility_tasks.listing import JobFilter
from youtility_tasks.operations import Act

from . import words
from .endpoints import endpoint
from .job_words import JobLine
from .words import Given, OfTenant, Paged, Said, Why


class Wanted(Said):
    """An act, and the jobs that it is for."""

    act: Act
    search: str = Field(
        "",
        max_length=search.LONGEST,
        description="Which jobs, as `task:send_* error:Timeout args.id:7 since:2h`; empty: all that the act is for.",
    )


class Beginning(Wanted):
    """What somebody wants done."""

    reason: str = Field("", max_length=LONGEST_REASON, description="Kept in the audit log; discard needs one.")
    priority: Annotated[int, Field(ge=1, le=10)] | None = Field(None, description="For the act priority alone.")
    rate_per_s: Annotated[float, Field(gt=0, le=1e6)] | None = Field(
        None, description="For retry and run now: let so many come due each second; without it all at once."
    )


class PreviewDocument(Given):
    act: str
    count: int
    is_capped: bool = Field(description="There may be more than were counted.")
    by_task: dict[str, int]
    sample: list[JobLine]
    left_alone: dict[str, int] = Field(description="Why -> how many jobs that the filter means and the act is not for.")
    can_be_undone: bool


class RefusedByOperation(Given):
    job: int
    why: str


class Operation(Given):
    id: int
    tenant: int | None
    act: str
    filter: dict[str, Any]
    priority: int | None
    rate_per_s: float | None
    undoes: int | None
    status: str = Field(description="running, ended or stopped")
    jobs: int | None = Field(description="Those that there were to begin with; null: not counted.")
    done: int
    refused_count: int
    refused: list[RefusedByOperation]
    progress: float | None = Field(description="0 to 1; null where jobs were not counted.")
    started_by: str
    reason: str
    started_at: str | None
    ended_at: str | None
    last_due_at: str | None
    undo_until: str | None


class OperationDocument(Given):
    operation: Operation


class Operations(Given):
    operations: list[Operation]
    next: str | None


def _filter(body: Wanted) -> JobFilter:
    return search.parse(body.search)


@endpoint("GET", "operations/", query=Paged, gives=Operations)
def list_operations(query: Paged, place: Any) -> dict[str, Any]:
    """Operations, newest first, by pages."""
    found = operations.listing(query.limit + 1, before_id=query.before_id)
    page, following = words.page_of(found, query.limit, lambda row: row.pk)
    return {"operations": [documents.operation(row) for row in page], "next": following}


@endpoint("POST", "operations/preview/", body=Wanted, gives=PreviewDocument, refusals=(409,))
def preview_operation(query: OfTenant, body: Wanted, place: Any) -> dict[str, Any]:
    """What an operation would be done to now. Writes nothing."""
    return documents.preview(operations.preview(body.act, _filter(body)))


@endpoint("POST", "operations/", body=Beginning, gives=OperationDocument, status=201, refusals=(409,))
def begin_operation(query: OfTenant, body: Beginning, place: Any) -> dict[str, Any]:
    """Begin an act on all jobs that the search means; workers carry it out."""
    begun = operations.begin(
        body.act, _filter(body), reason=body.reason, priority=body.priority, rate_per_s=body.rate_per_s
    )
    return {"operation": documents.operation(begun)}


@endpoint("GET", "operations/<id:operation_id>/", gives=OperationDocument, refusals=(404,))
def get_operation(query: OfTenant, place: Any, operation_id: int) -> dict[str, Any]:
    """How far an operation has come."""
    return {"operation": documents.operation(operations.get(operation_id))}


@endpoint("POST", "operations/<id:operation_id>/stop/", body=Why, gives=OperationDocument, refusals=(404, 409))
def stop_operation(query: OfTenant, body: Why, place: Any, operation_id: int) -> dict[str, Any]:
    """Let an operation act on no more jobs."""
    return {"operation": documents.operation(operations.stop(operation_id, body.reason))}


@endpoint(
    "POST", "operations/<id:operation_id>/undo/", body=Why, gives=OperationDocument, status=201, refusals=(404, 409)
)
def undo_operation(query: OfTenant, body: Why, place: Any, operation_id: int) -> dict[str, Any]:
    """Begin another operation that puts this one's jobs back, as far as nothing else has happened to them since."""
    return {"operation": documents.operation(operations.undo(operation_id, body.reason))}
