"""Workflows: runs with their graphs, started from templates; signals, cancel, retry."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from youtility_tasks import membership
from youtility_tasks.documents import workflows as documents
from youtility_tasks.models import TaskWorkflow
from youtility_tasks.models.workflows import TENANTS_OWN
from youtility_tasks.visits import For
from youtility_tasks.workflows import picture, runs, templates
from youtility_tasks.workflows.runs import RetryMode

from . import words
from .endpoints import endpoint
from .words import Given, OfTenant, Why

_MOST_STEPS = 1_000
_Name = Annotated[str, Field(min_length=1, max_length=200)]


class FlowQuery(words.Paged):
    status: Literal["blocked", "running", "succeeded", "failed", "cancelled", "skipped"] | None = None
    name: _Name | None = None


class Flow(Given):
    id: int
    name: str
    tenant: int
    status: str
    template: str | None
    version: int | None
    open: int
    failed: int
    is_overdue: bool
    started_at: str | None
    deadline_at: str | None
    ended_at: str | None


class Flows(Given):
    workflows: list[Flow]
    next: str | None


class Step(Given):
    id: int
    workflow: int
    name: str
    kind: str
    status: str
    shown: str = Field(description='As status; "doing" while its job runs, "waiting" for a signal whose turn has come.')
    after: dict[str, str] = Field(description="Step -> success, completion or failure: the edges into it.")
    join: str
    job: int | None
    open_items: int | None
    failed_items: int | None
    error_class: str
    released_at: str | None
    ended_at: str | None


class FlowDocument(Given):
    workflow: Flow
    steps: list[Step]


class Start(Why):
    template: _Name
    version: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = Field(None, description="The newest, if none is named.")
    context: dict[str, Any] = Field({}, description="What steps may refer to.")
    key: Annotated[str, Field(min_length=1, max_length=500)] | None = Field(
        None, description="One run of this workflow with this key; a second start is the first one's."
    )


class Started(Given):
    id: int
    template: str
    version: int


class Signal(Why):
    name: _Name
    payload: Any = Field(None, description="The result of the step that waits for it.")


class Sent(Given):
    id: int
    signal: str


class Cancelled(Given):
    id: int
    cancelled: int
    aborting: int


class Again(Why):
    mode: RetryMode = RetryMode.FAILED


class Retried(Given):
    id: int
    mode: str
    steps: int


class Template(Given):
    name: str
    version: int
    tenant: int


class Templates(Given):
    templates: list[Template]


class StepQuery(OfTenant):
    limit: Annotated[int, Field(ge=1, le=_MOST_STEPS), words.Digits] = Field(
        _MOST_STEPS, description="At most so many steps."
    )


@endpoint("GET", "workflows/", query=FlowQuery, gives=Flows)
def list_workflows(query: FlowQuery, place: Any) -> dict[str, Any]:
    """Runs, newest first, by pages; without those that are a step of another."""
    found = TaskWorkflow.objects.outermost().for_tenant(place.tenant_id).defer(*TENANTS_OWN).order_by("-pk")
    if query.status is not None:
        found = found.filter(status=query.status)
    if query.name is not None:
        found = found.filter(name=query.name)
    if query.before_id is not None:
        found = found.filter(pk__lt=query.before_id)
    page, following = words.page_of(list(found[: query.limit + 1]), query.limit, lambda row: int(row.pk))
    return {"workflows": [documents.run(each) for each in page], "next": following}


@endpoint("POST", "workflows/", body=Start, gives=Started, status=201, scope=For.TENANT, refusals=(404, 409))
def start_workflow(query: OfTenant, body: Start, place: Any) -> dict[str, Any]:
    """Start a run of a template."""
    started, flow = templates.begin(body.template, body.version, body.context, key=body.key, reason=body.reason)
    name, version = flow.template or (body.template, 0)
    return {"id": started.id, "template": name, "version": version}


@endpoint("GET", "templates/", gives=Templates, scope=For.TENANT)
def list_templates(query: OfTenant, place: Any) -> dict[str, Any]:
    """Each template that may be started, with its newest version; those of tenant 0 are everybody's."""
    found = templates.newest()
    return {
        "templates": [{"name": each["name"], "version": each["version"], "tenant": each["tenant_id"]} for each in found]
    }


@endpoint("GET", "workflows/<id:workflow_id>/", query=StepQuery, gives=FlowDocument, refusals=(404,))
def get_workflow(query: StepQuery, place: Any, workflow_id: int) -> dict[str, Any]:
    """One run with its graph: the steps, and the edges into each; of a fan-out the items that have not succeeded."""
    row = runs.find(workflow_id)
    lines = picture.steps(row, most=query.limit)
    return {"workflow": documents.run(row), "steps": [documents.step(each) for each in lines]}


@endpoint("POST", "workflows/<id:workflow_id>/signal/", body=Signal, gives=Sent, scope=For.TENANT, refusals=(404, 409))
def signal_workflow(query: OfTenant, body: Signal, place: Any, workflow_id: int) -> dict[str, Any]:
    """Send a signal: the step that waits for it succeeds with the payload as its result."""
    membership.allow("signal workflow", place.tenant_id)
    runs.signal(workflow_id, body.name, body.payload, reason=body.reason)
    return {"id": workflow_id, "signal": body.name}


@endpoint(
    "POST", "workflows/<id:workflow_id>/cancel/", body=Why, gives=Cancelled, refusals=(404, 409), one_transaction=False
)
def cancel_workflow(query: OfTenant, body: Why, place: Any, workflow_id: int) -> dict[str, Any]:
    """Let nothing more of a run begin, and ask what runs to end."""
    done = runs.cancel(workflow_id, body.reason)
    return {"id": workflow_id, "cancelled": done.cancelled, "aborting": done.aborting}


@endpoint("POST", "workflows/<id:workflow_id>/retry/", body=Again, gives=Retried, refusals=(404, 409))
def retry_workflow(query: OfTenant, body: Again, place: Any, workflow_id: int) -> dict[str, Any]:
    """Run what has ended again: what failed; the same and all that comes after it; or everything."""
    again = runs.retry(workflow_id, body.mode, body.reason)
    return {"id": workflow_id, "mode": body.mode.value, "steps": again}
