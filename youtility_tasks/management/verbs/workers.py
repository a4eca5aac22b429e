"""`workers`: the worker processes and their children; told to be quiet, to leave, or to go on."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from typing import Any

from django.core.management.base import CommandParser
from rich.console import RenderableType

from youtility_tasks import listing, orders
from youtility_tasks.documents import jobs as job_documents
from youtility_tasks.documents import queues as documents
from youtility_tasks.errors import Refused
from youtility_tasks.listing import JobFilter
from youtility_tasks.models import TaskWorker
from youtility_tasks.status import REPLACEMENTS

from . import arguments, job_lines
from .answer import OK, REFUSED, Answer, BadUsage, span, table
from .scope import Scope

NAME = "workers"
SCOPE = Scope.OPERATOR
HELP = "Show the worker processes and their children; show one with its jobs; tell some to be quiet, to leave, or to go on."
EXAMPLES = (
    "workers",
    "workers show 14",
    "workers quiet 14 --reason 'deploy'      # it claims nothing more; what runs goes on",
    "workers resume 14",
    "workers drain 14 15                     # they end what runs, leave, and nobody takes their place",
)
CAN_WATCH = True

_ACTS: dict[str, Callable[[int, str], TaskWorker]] = {
    "quiet": orders.quiet,
    "drain": orders.drain,
    "resume": orders.resume,
}
_WILL = {
    "quiet": "claims nothing more from its next heartbeat on",
    "drain": "ends what runs and leaves, from its next heartbeat on",
    "resume": "claims again from its next heartbeat on",
}
_MOST_JOBS = 1_000
_TABLES = ("children", "replaced", "replacements", "heartbeats")
_MIB = 1024 * 1024


def add_arguments(parser: CommandParser) -> None:
    parser.add_argument("act", nargs="?", choices=("list", "show", *_ACTS), default="list", help="default: list")
    parser.add_argument("ids", nargs="*", type=arguments.worker_id, metavar="ID", help="the workers; show: one")
    parser.add_argument("--all", action="store_true", help="list: those that have stopped or were lost, too")
    parser.add_argument("--queue", metavar="QUEUE", help="list: only of this queue")
    parser.add_argument(
        "--reason", type=arguments.words, metavar="TEXT", help="kept with the worker and in the audit log"
    )


def run(options: Namespace) -> Answer:
    if options.act == "list" and not options.ids and options.reason is None:
        return _list(options)
    if options.act == "list" or options.all or options.queue is not None or not options.ids:
        raise BadUsage(
            "Right is: workers [--all] [--queue QUEUE], workers show ID, or workers quiet|drain|resume ID... [--reason TEXT]."
        )
    if options.act != "show":
        if getattr(options, "watch", None) is not None:
            raise BadUsage(f"--watch shows again and again, and {options.act} is done once: give one of them.")
        return _tell(options)
    if len(options.ids) > 1 or options.reason is not None:
        raise BadUsage("Right is: workers show ID.")
    return _show(options.ids[0])


def _list(options: Namespace) -> Answer:
    known = TaskWorker.objects.all() if options.all else TaskWorker.objects.present()
    rows = known.of_queue(options.queue).with_silence().order_by("queue_name", "pk")
    found = [documents.worker(worker) for worker in rows]
    if not found:
        arguments.explain_nothing(options)
    of = f" --queues {options.queue}" if options.queue else ""
    none = "No worker is running." if options.queue is None else f"No worker serves {options.queue}."
    headings = ("id", "queue", "status", "host", "pid", "children", "jobs", "memory", "heard")
    page = table(headings, map(_row, found), empty=f"{none} `run_postgresql_worker{of}` starts one for each queue.")
    return Answer({"workers": found}, [page])


def _row(each: dict[str, Any]) -> tuple[object, ...]:
    return (
        each["id"],
        each["queue"],
        _status(each),
        each["host"],
        each["pid"],
        len(each["children"]),
        sum(child.get("jobs", 0) for child in each["children"]),
        f"{sum(child.get('memory_bytes') or 0 for child in each['children']) // _MIB} MiB",
        f"{span(each['silent_seconds'])} ago",
    )


def _status(each: dict[str, Any]) -> str:
    if each["is_silent"]:
        return "silent"
    is_new = each["order"] == "drain" or (each["order"] == "quiet") != (each["status"] == "quiet")
    told = f", told to {each['order'] or 'go on'}" if is_new and each["status"] in ("running", "quiet") else ""
    return f"{each['status']}{told}"


def _show(worker_id: int) -> Answer:
    worker = documents.one_worker(orders.find(worker_id), orders.lately(worker_id))
    holds = listing.jobs(JobFilter(worker_id=worker_id, statuses=["doing"]), limit=_MOST_JOBS)  # type: ignore[list-item]
    facts = [(name, value) for name, value in worker.items() if name not in _TABLES and value not in (None, "", False)]
    children = [
        (
            each.get("pid"),
            f"{(each.get('memory_bytes') or 0) // _MIB} MiB",
            each.get("jobs", 0),
            each.get("done", 0),
            ", ".join(map(str, each.get("running", []))),
        )
        for each in worker["children"]
    ]
    page: list[RenderableType] = [
        table(("worker", ""), facts, empty=""),
        *_how_it_does(worker["heartbeats"][-1:]),
        table(("child", "memory", "jobs", "done", "runs now"), children, empty="It has no children."),
        *_replaced(worker),
        *job_lines.page(holds, len(holds) == _MOST_JOBS, empty="It holds no job."),
    ]
    return Answer({"worker": worker, "jobs": [job_documents.line(each) for each in holds]}, page)


def _how_it_does(last: list[dict[str, Any]]) -> list[str]:
    return [
        f"In its last minute: {each['cpu']:.2f} processors busy, {each['running_mean']:.1f} jobs at a time ({each['running_most']} at most), "
        f"{each['memory_bytes'] // _MIB} MiB and {each['children_memory_bytes'] // _MIB} MiB in {each['children']} children."
        for each in last
    ]


def _replaced(worker: dict[str, Any]) -> list[RenderableType]:
    if not worker["replaced"]:
        return ["No child was replaced."]
    counts = ", ".join(f"{REPLACEMENTS.get(why, why)} {n}" for why, n in worker["replaced"].items())
    rows = [
        (
            each["at"][:19],
            each["pid"],
            REPLACEMENTS.get(each["why"], each["why"]),
            each["how"],
            ", ".join(map(str, each["jobs"])),
        )
        for each in worker["replacements"]
    ]
    last = table(("replaced at (UTC)", "pid", "why", "how", "jobs to blame"), rows, empty="")
    return [f"Children replaced: {counts}.", last]


def _tell(options: Namespace) -> Answer:
    told, refused = [], {}
    for worker_id in dict.fromkeys(options.ids):
        try:
            told.append(documents.worker(_ACTS[options.act](worker_id, options.reason or "")))
        except Refused as error:
            refused[worker_id] = error
    lines = [f"Worker {each['id']} ({each['queue']} on {each['host']}) {_WILL[options.act]}." for each in told]
    document = {"ok": not refused, "workers": told, "refused": job_documents.refused(refused)}
    return Answer(document, lines, REFUSED if refused else OK, [str(error) for error in refused.values()])
