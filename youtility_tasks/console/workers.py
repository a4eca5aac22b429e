"""Worker processes: what each serves, holds and uses. For operators."""

from __future__ import annotations

from typing import Any

from youtility_tasks import queues
from youtility_tasks.conf import settings
from youtility_tasks.documents import queues as documents
from youtility_tasks.models import Job, TaskWorker
from youtility_tasks.problems import Problem
from youtility_tasks.visits import For

from .table import page
from .visit import Shown, Visit

_MOST = 200


@page("workers/", scope=For.OPS, takes=("gone",))
def workers(visit: Visit) -> Shown:
    """Those that live, by queue; with `gone=1` also those that went."""
    shows_gone = bool(visit.words.choice("gone", ("1",)))
    known = TaskWorker.objects.all() if shows_gone else TaskWorker.objects.present()
    found = [documents.worker(each) for each in known.with_silence().order_by("queue_name", "-pk")[:_MOST]]
    served = {each["queue"] for each in found if each["status"] == "running" and not each["is_silent"]}
    context = {
        "workers": found,
        "unserved": sorted(queues.configured().keys() - served),
        "shows_gone": shows_gone,
        "lease_s": settings().lease_s,
    }
    return Shown("workers.html", "Workers", context)


@page("workers/<tasks_id:worker_id>/", scope=For.OPS, tab="workers")
def worker(visit: Visit, worker_id: int) -> Shown:
    """One worker: its children, and the jobs it holds."""
    found = TaskWorker.objects.with_silence().filter(pk=worker_id).first()
    if found is None:
        raise Problem(404, "no-such-worker", "No such worker", f"No worker has ever had the id {worker_id}.")
    held: list[dict[str, Any]] = [
        {"id": each.pk, "task": each.task_name, "tenant": each.tenant_id, "since": each.claimed_at}
        for each in Job.objects.held_by(worker_id)[:_MOST]
    ]
    return Shown("worker.html", f"Worker {worker_id}", {"worker": documents.worker(found), "jobs": held})
