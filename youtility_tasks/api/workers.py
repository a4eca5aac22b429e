"""Worker processes, and what is wrong with the installation: an operator's to see."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from youtility_tasks import orders
from youtility_tasks.documents import queues as documents
from youtility_tasks.models import TaskWorker
from youtility_tasks.visits import For

from .endpoints import endpoint
from .words import Given, Nothing, Said, Switch, Why


class WorkerQuery(Said):
    all: Switch = Field(False, description="Those that have stopped or were lost, too.")


class Child(Given):
    pid: int
    memory_bytes: int | None = None
    jobs: int = 0


class Worker(Given):
    id: int
    host: str
    pid: int
    queue: str
    status: str
    is_silent: bool
    silent_seconds: float
    slots: int
    supervisor_pid: int | None
    memory_bytes: int | None
    started_at: str
    heartbeat_at: str
    stopped_at: str | None
    children: list[Child]
    order: str | None
    order_at: str | None
    order_by: str | None
    order_reason: str | None


class WorkerDocument(Given):
    worker: Worker


class Workers(Given):
    workers: list[Worker]


_MOST = 1_000


@endpoint("GET", "workers/", query=WorkerQuery, gives=Workers, scope=For.OPS)
def list_workers(query: WorkerQuery, place: Any) -> dict[str, Any]:
    """The worker processes and their children; at most the last 1,000."""
    known = TaskWorker.objects.all() if query.all else TaskWorker.objects.present()
    found = known.with_silence().order_by("-pk")[:_MOST]
    return {"workers": [documents.worker(each) for each in found]}


@endpoint("GET", "workers/<id:worker_id>/", gives=WorkerDocument, scope=For.OPS, refusals=(404,))
def get_worker(query: Nothing, place: Any, worker_id: int) -> dict[str, Any]:
    """One worker process, also one that has gone."""
    return {"worker": documents.worker(orders.find(worker_id))}


@endpoint("POST", "workers/<id:worker_id>/quiet/", body=Why, gives=WorkerDocument, scope=For.OPS, refusals=(404, 409))
def quiet_worker(query: Nothing, body: Why, place: Any, worker_id: int) -> dict[str, Any]:
    """Let it claim nothing more from its next heartbeat on; what it runs goes on."""
    return {"worker": documents.worker(orders.quiet(worker_id, body.reason))}


@endpoint("POST", "workers/<id:worker_id>/drain/", body=Why, gives=WorkerDocument, scope=For.OPS, refusals=(404, 409))
def drain_worker(query: Nothing, body: Why, place: Any, worker_id: int) -> dict[str, Any]:
    """Let it end what it runs and leave, from its next heartbeat on; its supervisor starts no other."""
    return {"worker": documents.worker(orders.drain(worker_id, body.reason))}


@endpoint("POST", "workers/<id:worker_id>/resume/", body=Why, gives=WorkerDocument, scope=For.OPS, refusals=(404, 409))
def resume_worker(query: Nothing, body: Why, place: Any, worker_id: int) -> dict[str, Any]:
    """Let a quiet one claim again from its next heartbeat on."""
    return {"worker": documents.worker(orders.resume(worker_id, body.reason))}
