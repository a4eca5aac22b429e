"""`workers`: the worker processes and their children."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from django.core.management.base import CommandParser

from youtility_tasks.conf import settings
from youtility_tasks.models import TaskWorker
from youtility_tasks.status import WorkerStatus

from .answer import Answer, instant, span, table
from .scope import Scope

NAME = "workers"
SCOPE = Scope.OPERATOR
HELP = "Show the worker processes and their children."

_MIB = 1024 * 1024
_GONE = {WorkerStatus.STOPPED, WorkerStatus.LOST}


def add_arguments(parser: CommandParser) -> None:
    parser.add_argument("--all", action="store_true", help="those that have stopped or were lost, too")


def run(options: Namespace) -> Answer:
    known = TaskWorker.objects.all() if options.all else TaskWorker.objects.present()
    found = [_shown(worker) for worker in known.with_silence().order_by("queue_name", "pk")]
    rows = [
        (
            each["id"],
            each["queue"],
            "silent" if each["is_silent"] else each["status"],
            each["host"],
            each["pid"],
            len(each["children"]),
            sum(child.get("jobs", 0) for child in each["children"]),
            f"{sum(child.get('memory_bytes') or 0 for child in each['children']) // _MIB} MiB",
            f"{span(each['silent_seconds'])} ago",
        )
        for each in found
    ]
    headings = ("id", "queue", "status", "host", "pid", "children", "jobs", "memory", "heard")
    return Answer(
        {"workers": found},
        [table(headings, rows, empty="No worker is running. `run_postgresql_worker` starts one for each queue.")],
    )


def _shown(worker: Any) -> dict[str, Any]:
    silent_s = max(0.0, worker.silence.total_seconds())
    return {
        "id": worker.pk,
        "host": worker.host,
        "pid": worker.pid,
        "queue": worker.queue_name,
        "status": worker.status,
        "is_silent": worker.status not in _GONE and silent_s > settings().lease_s,
        "silent_seconds": round(silent_s, 3),
        "slots": worker.slots,
        "supervisor_pid": worker.supervisor_pid,
        "memory_bytes": worker.memory_bytes,
        "started_at": instant(worker.started_at),
        "heartbeat_at": instant(worker.heartbeat_at),
        "stopped_at": instant(worker.stopped_at),
        "children": worker.children,
    }
