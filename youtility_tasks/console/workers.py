"""Worker processes: what each serves, holds and uses, and why children of it were replaced. For operators."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from datetime import datetime
from typing import Any

from django.utils import timezone

from youtility_tasks import orders, queues
from youtility_tasks.conf import settings
from youtility_tasks.documents import queues as documents
from youtility_tasks.errors import WorkerNotFound
from youtility_tasks.models import Job, TaskWorker
from youtility_tasks.problems import Problem
from youtility_tasks.status import REPLACEMENTS, Order, WorkerStatus
from youtility_tasks.visits import For

from . import worker_charts
from .table import page
from .visit import Shown, Visit

_MOST = 200
_PRESENT = (WorkerStatus.RUNNING, WorkerStatus.QUIET, WorkerStatus.DRAINING)


@page("workers/", scope=For.OPS, takes=("gone",))
def workers(visit: Visit) -> Shown:
    """Those that live, by queue; with `gone=1` also those that went."""
    shows_gone = bool(visit.words.choice("gone", ("1",)))
    known = TaskWorker.objects.all() if shows_gone else TaskWorker.objects.present()
    rows = known.with_silence().order_by("queue_name", "-pk")[:_MOST]
    found = [_line(documents.worker(each)) for each in rows]
    living = [each for each in found if each["is_present"] and not each["is_silent"]]
    served = {each["queue"] for each in living if each["status"] == WorkerStatus.RUNNING}
    context = {
        "workers": found,
        "living": len(living),
        "busy": sum(each["busy"] for each in living),
        "slots": sum(each["slots"] for each in living),
        "memory": sum(each["memory"] for each in living),
        "versions": sorted(Counter(each["version"] or "unknown" for each in living).items()),
        "unserved": _unserved(queues.configured().keys() - served),
        "held_back": {each["queue"] for each in living if each["order"]},
        "shows_gone": shows_gone,
        "lease_s": settings().lease_s,
    }
    return Shown("workers.html", "Workers", context)


def _unserved(names: Set[str]) -> list[tuple[str, TaskWorker | None]]:
    """The queues that nobody serves, each with the worker that was heard of last: what became of it is to be looked for there."""
    known = TaskWorker.objects.filter(queue_name__in=names).order_by("queue_name", "-heartbeat_at")
    last = {each.queue_name: each for each in known.distinct("queue_name")} if names else {}
    return [(name, last.get(name)) for name in sorted(names)]


@page("workers/<tasks_id:worker_id>/", scope=For.OPS, takes=("span",), tab="workers")
def worker(visit: Visit, worker_id: int) -> Shown:
    """One worker: its children, the jobs it holds, how it did, and which children were replaced."""
    span = visit.words.choice("span", worker_charts.SPANS) or worker_charts.USUAL
    if visit.part == "charts":
        drawn = worker_charts.of_worker(worker_id, span)
        return Shown(
            "worker_charts.html", "Charts", {"charts": drawn, "span": span, "spans": list(worker_charts.SPANS)}
        )
    try:
        found = documents.one_worker(orders.find(worker_id), ())
    except WorkerNotFound:
        raise Problem(404, "no-such-worker", "No such worker", f"No worker has ever had the id {worker_id}.") from None
    context = {
        "worker": _line(found),
        "jobs": _held(worker_id, found["children"]),
        "replaced": [
            (REPLACEMENTS.get(why, why), n) for why, n in sorted(found["replaced"].items(), key=lambda of: -of[1])
        ],
        "replacements": [
            {**each, "says": REPLACEMENTS.get(each["why"], each["why"])} for each in found["replacements"]
        ],
        "span": span,
        "lease_s": settings().lease_s,
    }
    return Shown("worker.html", f"Worker {worker_id}", context)


def _line(found: Mapping[str, Any]) -> dict[str, Any]:
    """A worker's document, with what a page says of it."""
    children: Sequence[Mapping[str, Any]] = found["children"]
    started = datetime.fromisoformat(found["started_at"])
    until = datetime.fromisoformat(found["stopped_at"]) if found["stopped_at"] else timezone.now()
    state, label, says = _standing(found)
    is_present = found["status"] in _PRESENT
    return {
        **found,
        "state": state,
        "label": label,
        "says": says,
        "is_present": is_present,
        "busy": sum(each.get("jobs", 0) for each in children),
        "memory": (found["memory_bytes"] or 0) + sum(each.get("memory_bytes") or 0 for each in children),
        "started": started,
        "up_s": max(0.0, (until - started).total_seconds()),
        "replaced_count": sum(found["replaced"].values()),
        "can_be_quiet": is_present and found["order"] is None and found["status"] == WorkerStatus.RUNNING,
        "can_resume": is_present and found["order"] == Order.QUIET,
        "can_drain": is_present and found["order"] != Order.DRAIN and found["status"] != WorkerStatus.DRAINING,
    }


def _standing(found: Mapping[str, Any]) -> tuple[str, str, str]:
    """The colour of its status, the word, and a sentence where the word is not enough."""
    status, order = found["status"], found["order"]
    if status == WorkerStatus.STOPPED:
        return "still", "stopped", "It has left in an orderly way."
    if status == WorkerStatus.LOST:
        return "bad", "lost", "Nothing was heard of it any more, and other workers took what it held."
    if found["is_silent"]:
        return (
            "bad",
            "silent",
            "Nothing is heard of it. Any other worker takes the jobs that it holds; look at its host.",
        )
    if status == WorkerStatus.DRAINING:
        return "warn", "leaving", "It claims nothing more, ends what runs, and leaves."
    if order == Order.DRAIN:
        return "warn", "told to leave", "It obeys at its next heartbeat."
    if order == Order.QUIET:
        if status == WorkerStatus.QUIET:
            return "paused", "quiet", "It claims nothing more; what runs goes on."
        return "warn", "told to be quiet", "It obeys at its next heartbeat."
    if status == WorkerStatus.QUIET:
        return "busy", "told to go on", "It obeys at its next heartbeat."
    return "running", "running", ""


def _held(worker_id: int, children: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The jobs that are its own, each with the child that runs it, as far as the last heartbeat tells."""
    runs_in = {job_id: each.get("pid") for each in children for job_id in each.get("running", ())}
    return [
        {
            "id": each.pk,
            "task": each.task_name,
            "tenant": each.tenant_id,
            "since": each.claimed_at,
            "pid": runs_in.get(each.pk),
        }
        for each in Job.objects.held_by(worker_id)[:_MOST]
    ]
