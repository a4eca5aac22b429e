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
    jobs: int = Field(0, description="That it holds; some may wait in it.")
    done: int = Field(0, description="That have ended in it.")
    running: list[int] = Field([], description="Ids of jobs that run in it, of which 20 are named.")


class Replacement(Given):
    at: str
    pid: int
    why: str
    how: str = ""
    jobs: list[int] = Field([], description="Ids of those that it is blamed on, of which five are named.")


class Heartbeat(Given):
    at: str
    memory_bytes: int
    children_memory_bytes: int
    children: int
    running_mean: float
    running_most: int
    cpu: float = Field(description="Processors that it and its children kept busy, on average.")


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
    version: str | None = Field(description="Of this package.")
    python: str | None
    memory_bytes: int | None
    started_at: str
    heartbeat_at: str
    stopped_at: str | None
    children: list[Child]
    replaced: dict[str, int] = Field(description="How many children it has replaced, by reason.")
    order: str | None
    order_at: str | None
    order_by: str | None
    order_reason: str | None


class OneWorker(Worker):
    replacements: list[Replacement] = Field(description="The last 20, newest first.")
    heartbeats: list[Heartbeat] = Field(description="The last hour, a row a minute, oldest first.")


class WorkerDocument(Given):
    worker: OneWorker


class Workers(Given):
    workers: list[Worker]


_MOST = 1_000


def _document(found: TaskWorker) -> dict[str, Any]:
    return {"worker": documents.one_worker(found, orders.lately(found.pk))}


@endpoint("GET", "workers/", query=WorkerQuery, gives=Workers, scope=For.OPS)
def list_workers(query: WorkerQuery, place: Any) -> dict[str, Any]:
    """The worker processes and their children; at most the last 1,000."""
    known = TaskWorker.objects.all() if query.all else TaskWorker.objects.present()
    found = known.with_silence().order_by("-pk")[:_MOST]
    return {"workers": [documents.worker(each) for each in found]}


@endpoint("GET", "workers/<id:worker_id>/", gives=WorkerDocument, scope=For.OPS, refusals=(404,))
def get_worker(query: Nothing, place: Any, worker_id: int) -> dict[str, Any]:
    """One worker process, also one that has gone."""
    return _document(orders.find(worker_id))


@endpoint("POST", "workers/<id:worker_id>/quiet/", body=Why, gives=WorkerDocument, scope=For.OPS, refusals=(404, 409))
def quiet_worker(query: Nothing, body: Why, place: Any, worker_id: int) -> dict[str, Any]:
    """Let it claim nothing more from its next heartbeat on; what it runs goes on."""
    return _document(orders.quiet(worker_id, body.reason))


@endpoint("POST", "workers/<id:worker_id>/drain/", body=Why, gives=WorkerDocument, scope=For.OPS, refusals=(404, 409))
def drain_worker(query: Nothing, body: Why, place: Any, worker_id: int) -> dict[str, Any]:
    """Let it end what it runs and leave, from its next heartbeat on; its supervisor starts no other."""
    return _document(orders.drain(worker_id, body.reason))


@endpoint("POST", "workers/<id:worker_id>/resume/", body=Why, gives=WorkerDocument, scope=For.OPS, refusals=(404, 409))
def resume_worker(query: Nothing, body: Why, place: Any, worker_id: int) -> dict[str, Any]:
    """Let a quiet one claim again from its next heartbeat on."""
    return _document(orders.resume(worker_id, body.reason))
