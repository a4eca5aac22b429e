"""Queues and tasks: how they stand, what limits them, and pauses."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from youtility_tasks import controls, metrics, queues, registry
from youtility_tasks.addresses import LARGEST_TENANT
from youtility_tasks.controls import KEEP
from youtility_tasks.documents import queues as documents
from youtility_tasks.errors import UnknownTarget
from youtility_tasks.models.controls import FASTEST, SLOWEST
from youtility_tasks.problems import Problem

from .endpoints import endpoint
from .words import Given, Instant, Name, OfTenant, Why


class Hour(Given):
    attempts: int
    succeeded: int
    retried: int
    failed: int
    wait_p50_ms: float | None
    wait_p95_ms: float | None
    run_p50_ms: float | None
    run_p95_ms: float | None


class QueueNow(Given):
    queue: str
    todo: int
    doing: int
    scheduled: int
    failed: int
    oldest_seconds: float
    last_hour: Hour


class TaskHour(Given):
    task: str
    queue: str
    last_hour: Hour


class Queues(Given):
    at: str
    tenant: int | None
    queues: list[QueueNow]
    last_hour: Hour
    tasks: list[TaskHour]


class TaskFacts(Given):
    name: str
    queue: str
    priority: int
    timeout_s: float | None
    max_attempts: int
    schedule: str | None
    seed_class: str | None
    is_built: bool
    is_isolated: bool
    tenant: str
    aliases: list[str]
    arguments: list[str]
    summary: str


class Tasks(Given):
    tasks: list[TaskFacts]


class Control(Given):
    target: str
    queue: str | None
    task: str | None
    tenant: int | None
    max_running: int | None
    running: int
    rate_per_s: float | None
    burst: float
    tokens: float | None
    is_paused: bool
    paused_until: str | None
    paused_at: str | None
    paused_by: str | None
    reason: str | None
    parked: int
    changed_at: str
    changed_by: str


class Controls(Given):
    controls: list[Control]


class ControlDocument(Given):
    control: Control


class TaskQuery(OfTenant):
    queue: Name | None = None


class Target(Why):
    """The jobs of a queue, of a task, of a tenant, or of what two or three of them share; in a tenant always its own."""

    queue: Name | None = None
    task: Name | None = None
    tenant: Annotated[int, Field(ge=1, le=LARGEST_TENANT)] | None = None


class Ends(Why):
    minutes: float | None = Field(None, gt=0, le=5_256_000, description="Resume by itself after so many minutes.")
    until: Instant | None = Field(None, description="Resume by itself then.")


class Pause(Ends, Target):
    """A pause of some jobs, with an end or without."""


class Limit(Target):
    """What is not named stays as it is; null lifts it."""

    running: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = Field(None, description="So many run at once at most.")
    rate_per_s: Annotated[float, Field(ge=SLOWEST, le=FASTEST)] | None = Field(
        None, description="So many start each second at most; 0.1 is one in ten seconds."
    )
    burst: Annotated[float, Field(ge=1, le=FASTEST)] | None = Field(
        None, description="So many start at once after a quiet time."
    )


@endpoint("GET", "queues/", gives=Queues)
def list_queues(query: OfTenant, place: Any) -> dict[str, Any]:
    """Every queue as it stands, and what ended in the last hour."""
    numbers = metrics.glance(tenant_id=place.tenant_id)
    lately = metrics.last_hour(tenant_id=place.tenant_id)
    return documents.stats(metrics.database_clock(), place.tenant_id, numbers, *lately)


@endpoint("POST", "queues/<name:queue>/pause/", body=Ends, gives=ControlDocument, refusals=(404, 409))
def pause_queue(query: OfTenant, body: Ends, place: Any, queue: str) -> dict[str, Any]:
    """Let no job of a queue start (in a tenant: none of the tenant's); those that run go on."""
    _must_be(queue)
    return _shown(controls.pause(queue=queue, minutes=body.minutes, until=body.until, reason=body.reason))


@endpoint("POST", "queues/<name:queue>/resume/", body=Why, gives=ControlDocument, refusals=(404, 409))
def resume_queue(query: OfTenant, body: Why, place: Any, queue: str) -> dict[str, Any]:
    """End a pause of a queue."""
    _must_be(queue)
    return _shown(controls.resume(queue=queue, reason=body.reason))


@endpoint("GET", "limits/", gives=Controls)
def list_limits(query: OfTenant, place: Any) -> dict[str, Any]:
    """What is limited or paused; for a tenant its own, and pauses of everybody's jobs (`tenant` null), which operators end."""
    return {"controls": [documents.control(each) for each in controls.listing()]}


@endpoint("POST", "limits/", body=Limit, gives=ControlDocument, refusals=(409,))
def set_limit(query: OfTenant, body: Limit, place: Any) -> dict[str, Any]:
    """Limit how many of some jobs run at once, or start each second; null lifts what is set."""
    said = body.model_fields_set
    made = controls.limit(
        queue=body.queue,
        task=body.task,
        tenant=body.tenant,
        running=body.running if "running" in said else KEEP,
        rate_per_s=body.rate_per_s if "rate_per_s" in said else KEEP,
        burst=body.burst if body.burst is not None else KEEP,
        reason=body.reason,
    )
    return _shown(made)


@endpoint("POST", "limits/pause/", body=Pause, gives=ControlDocument, refusals=(409,))
def pause(query: OfTenant, body: Pause, place: Any) -> dict[str, Any]:
    """Let none of some jobs start; those that run go on."""
    return _shown(
        controls.pause(
            queue=body.queue,
            task=body.task,
            tenant=body.tenant,
            minutes=body.minutes,
            until=body.until,
            reason=body.reason,
        )
    )


@endpoint("POST", "limits/resume/", body=Target, gives=ControlDocument, refusals=(409,))
def resume(query: OfTenant, body: Target, place: Any) -> dict[str, Any]:
    """End a pause of exactly these jobs."""
    return _shown(controls.resume(queue=body.queue, task=body.task, tenant=body.tenant, reason=body.reason))


@endpoint("GET", "tasks/", query=TaskQuery, gives=Tasks)
def list_tasks(query: TaskQuery, place: Any) -> dict[str, Any]:
    """The registered tasks and what each declares."""
    found = registry.registered().values()
    return {"tasks": [documents.task(each) for each in found if query.queue in (None, each.queue_name)]}


def _shown(made: controls.Control) -> dict[str, Any]:
    return {"control": documents.control(made)}


def _must_be(queue: str) -> None:
    if queue not in queues.configured():
        error = UnknownTarget("queue", queue, queues.configured(), "manage_task_queue stats")
        raise Problem(404, "unknown-target", "Unknown target", str(error))
