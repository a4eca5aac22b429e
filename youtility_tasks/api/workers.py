"""Worker processes, and what is wrong with the installation: an operator's to see."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from youtility_tasks.documents import queues as documents
from youtility_tasks.models import TaskWorker
from youtility_tasks.visits import For

from .endpoints import endpoint
from .words import Given, Said, Switch


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


class Workers(Given):
    workers: list[Worker]


_MOST = 1_000


@endpoint("GET", "workers/", query=WorkerQuery, gives=Workers, scope=For.OPS)
def list_workers(query: WorkerQuery, place: Any) -> dict[str, Any]:
    """The worker processes and their children; at most the last 1,000."""
    known = TaskWorker.objects.all() if query.all else TaskWorker.objects.present()
    found = known.with_silence().order_by("-pk")[:_MOST]
    return {"workers": [documents.worker(each) for each in found]}
