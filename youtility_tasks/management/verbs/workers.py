"""`workers`: the worker processes and their children."""

from __future__ import annotations

from argparse import Namespace

from django.core.management.base import CommandParser

from youtility_tasks.documents import queues as documents
from youtility_tasks.models import TaskWorker

from .answer import Answer, span, table
from .scope import Scope

NAME = "workers"
SCOPE = Scope.OPERATOR
HELP = "Show the worker processes and their children."

_MIB = 1024 * 1024


def add_arguments(parser: CommandParser) -> None:
    parser.add_argument("--all", action="store_true", help="those that have stopped or were lost, too")


def run(options: Namespace) -> Answer:
    known = TaskWorker.objects.all() if options.all else TaskWorker.objects.present()
    found = [documents.worker(worker) for worker in known.with_silence().order_by("queue_name", "pk")]
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
