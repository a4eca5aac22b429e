"""`operations`: an act on all jobs that a search means, carried out by workers; followed, stopped, undone."""

from __future__ import annotations

import dataclasses
import time
from argparse import ArgumentTypeError, Namespace
from collections.abc import Sequence

from django.core.management.base import CommandParser
from rich.console import RenderableType

from youtility_tasks import operations, search
from youtility_tasks.documents import operations as documents
from youtility_tasks.documents.plain import first_line
from youtility_tasks.listing import JobFilter
from youtility_tasks.models import TaskOperation
from youtility_tasks.operations import Act, Preview
from youtility_tasks.status import JobStatus

from . import arguments
from .answer import OK, REFUSED, Answer, BadUsage, table
from .scope import Scope

NAME = "operations"
SCOPE = Scope.CHOSEN
HELP = "Act on all jobs that a search means: begin, list, show, stop, undo. Workers carry it out."
EXAMPLES = (
    "operations begin retry --task send_ticket_email --tenant 7 --reason 'the relay is back'",
    "operations show 12",
    "operations undo 12",
)

ACTS = ("list", "show", "begin", "stop", "undo")
_OF_ONE = {"show", "stop", "undo"}
_BELONGS = {
    "search": {"begin"},
    "queue": {"begin"},
    "task": {"begin"},
    "status": {"begin"},
    "since": {"begin"},
    "until": {"begin"},
    "all": {"begin"},
    "priority": {"begin"},
    "rate": {"begin"},
    "dry_run": {"begin"},
    "reason": {"begin", "stop", "undo"},
    "wait": {"begin", "show", "undo"},
}
_LOOK_S = 0.2


def add_arguments(parser: CommandParser) -> None:
    parser.add_argument("act", nargs="?", choices=ACTS, default="list", help="default: list")
    parser.add_argument("what", nargs="?", metavar="ID | ACT", help=f"the operation; begin: {', '.join(Act)}")
    parser.add_argument(
        "--search", metavar="TEXT", help="begin: only these: 'task:send_* error:Timeout args.id:7 lock:x'"
    )
    parser.add_argument("--queue", metavar="QUEUE", help="begin: only of this queue")
    parser.add_argument("--task", metavar="TASK", help="begin: only of this task")
    parser.add_argument("--status", choices=[each.value for each in JobStatus], help="begin: only with this status")
    parser.add_argument(
        "--since", type=arguments.moment, metavar="WHEN", help="begin: only what was touched since: 2h, 3d, ..."
    )
    parser.add_argument("--until", type=arguments.moment, metavar="WHEN", help="begin: only what was enqueued before")
    parser.add_argument("--all", action="store_true", help="begin: all jobs (of the tenant) that the act is for")
    arguments.add_tenant_or_all(parser)
    parser.add_argument(
        "--priority", type=arguments.priority, metavar="N", help="begin priority: 1 (most urgent) to 10"
    )
    parser.add_argument(
        "--rate", type=arguments.rate, metavar="RATE", help="begin retry, 'run now': so many come due: 50/s, 600/min"
    )
    parser.add_argument(
        "--reason", type=arguments.words, metavar="TEXT", help="kept in the audit log; discard needs one"
    )
    parser.add_argument("--dry-run", action="store_true", help="begin: say what it would be done to, and do nothing")
    parser.add_argument("--wait", action="store_true", help="return when it has ended")
    parser.add_argument(
        "--limit", type=arguments.count, default=50, metavar="N", help="list: at most so many (default: 50)"
    )


def run(options: Namespace) -> Answer:
    _check_usage(options)
    with arguments.in_tenant(options):
        match options.act:
            case "list":
                return _list(operations.listing(options.limit))
            case "begin" if options.dry_run:
                return _preview(operations.preview(options.what, _wanted(options)))
            case "begin":
                wanted = _wanted(options)
                row = operations.begin(
                    options.what,
                    wanted,
                    reason=options.reason or "",
                    priority=options.priority,
                    rate_per_s=options.rate,
                )
            case "stop":
                row = operations.stop(_id(options), options.reason or "")
            case "undo":
                row = operations.undo(_id(options), options.reason or "")
            case _:
                row = operations.get(_id(options))
        while options.wait and row.ended_at is None:
            time.sleep(_LOOK_S)
            row = operations.get(row.pk)
        return _show(row)


def _check_usage(options: Namespace) -> None:
    act = options.act
    if (act == "list") == (options.what is not None):
        raise BadUsage(f"Right is: operations {act}{'' if act == 'list' else ' ID' if act in _OF_ONE else ' ACT'}.")
    for word, right in _BELONGS.items():
        if getattr(options, word) not in (None, False) and act not in right:
            raise BadUsage(f"--{word.replace('_', '-')} belongs to {', '.join(sorted(right))}.")
    named = [
        word for word in ("search", "queue", "task", "status", "since", "until") if getattr(options, word) is not None
    ]
    if act == "begin" and bool(named) == options.all:
        raise BadUsage(
            "Which jobs? Name them by --search, --task, --queue, --status, --since or --until, or say --all."
        )


def _id(options: Namespace) -> int:
    try:
        return arguments.operation_id(options.what)
    except ArgumentTypeError as error:
        raise BadUsage(f"{error}.") from None


def _wanted(options: Namespace) -> JobFilter:
    asked = search.parse(options.search or "")
    return dataclasses.replace(
        asked,
        statuses=(JobStatus(options.status),) if options.status else asked.statuses,
        queue_name=options.queue or asked.queue_name,
        task_name=options.task,
        since=arguments.since(options) or asked.since,
        until=arguments.instant_of(options, "until") or asked.until,
    )


def _preview(seen: Preview) -> Answer:
    more = " or more" if seen.is_capped else ""
    page: list[RenderableType] = [
        f"Would {seen.act} {seen.count}{more} jobs{'' if seen.is_undone else ', for good'}.",
        table(("task", "jobs"), list(seen.by_task.items()), empty=""),
    ]
    page += [f"{n} are left alone: {why}." for why, n in seen.left_alone.items()]
    return Answer({"ok": True, "dry_run": True, "preview": documents.preview(seen)}, page)


def _show(row: TaskOperation) -> Answer:
    page: list[RenderableType] = [table(_HEADINGS, [_row(row)], empty="")]
    if row.ended_at is None:
        page.append(
            f"Workers carry it out: `operations show {row.pk}` says how far, `operations stop {row.pk}` ends it."
        )
    problems = [each["why"] for each in row.refused]
    if row.refused_count > len(row.refused):
        problems.append(f"{row.refused_count - len(row.refused)} more jobs were left alone.")
    document = {"ok": not row.refused_count, "operation": documents.operation(row)}
    return Answer(document, page, REFUSED if row.refused_count else OK, problems)


def _list(rows: Sequence[TaskOperation]) -> Answer:
    page = [table(_HEADINGS, [_row(each) for each in rows], empty="No operation was begun yet.")]
    return Answer({"operations": [documents.operation(each) for each in rows]}, page)


_HEADINGS = ("operation", "act", "which", "status", "done", "refused", "of", "by", "began", "ended", "why")


def _row(row: TaskOperation) -> tuple[object, ...]:
    whose = "all tenants" if row.tenant_id is None else f"tenant {row.tenant_id}"
    which = (
        f"operation {row.undoes_id}"
        if row.undoes_id
        else ", ".join(f"{name} {value}" for name, value in row.filter.items())
    )
    return (
        row.pk, row.act, f"{whose}: {which or 'all'}", documents.status(row), row.done_count, row.refused_count, row.total_count,
        row.started_by, row.started_at, row.ended_at, first_line(row.reason),
    )  # fmt: skip
