"""`submit`: enqueue one job."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from argparse import Namespace
from typing import Any

from django.core.management.base import CommandParser

from youtility_tasks import registry, submission, uniqueness
from youtility_tasks.documents import jobs as documents
from youtility_tasks.errors import NoTenant, Refused, UnknownTask
from youtility_tasks.tasks_api import TaskResultStatus
from youtility_tasks.tenants import tenant

from . import arguments
from .answer import Answer, BadUsage
from .scope import Scope

NAME = "submit"
SCOPE = Scope.ITS_OWN
HELP = "Enqueue one job of a task."
EXAMPLES = (
    "submit send_ticket_email --tenant 7 --json-args '{\"id\": 3}'",
    "submit send_ticket_email --tenant 7 --json-args '{\"id\": 3}' --at 2026-11-24T06:00:00Z --priority 1",
)


def add_arguments(parser: CommandParser) -> None:
    parser.add_argument("task", metavar="TASK", help="the task's name; `tasks` lists them")
    arguments.add_tenant(parser, help="the tenant it is for; a sweep needs none")
    parser.add_argument(
        "--json-args",
        type=_json_object,
        default={},
        metavar="JSON",
        help="""arguments by name: '{"id": 7}'; `-` reads them from stdin, where no list of processes shows them""",
    )
    parser.add_argument("--at", type=arguments.aware, metavar="INSTANT", help="not before: 2026-11-24T06:00:00Z")
    parser.add_argument(
        "--priority", type=arguments.priority, metavar="1..10", help="1 is most urgent (default: the task's)"
    )
    parser.add_argument("--queue", metavar="QUEUE", help="another queue than the task's")
    _add_uniqueness(parser)
    parser.add_argument("--reason", default="", metavar="TEXT", help="why; kept in the audit log")


def run(options: Namespace) -> Answer:
    task = registry.resolve(options.task)
    if task is None:
        raise UnknownTask(options.task, registry.registered())
    wanted = task.using(
        run_after=options.at, priority=options.priority, queue_name=options.queue, **_uniqueness(options)
    )
    args = options.json_args
    positional, named = (args.get("args", []), args.get("kwargs", {})) if task.verbatim else ([], args)
    with tenant(options.tenant) if options.tenant is not None else contextlib.nullcontext():
        try:
            result, is_new = submission.submit(wanted, positional, named, reason=options.reason)
        except NoTenant as error:
            raise Refused(
                f"Task {task.name!r} belongs to one tenant: add --tenant N. `manage_task_queue tenants` lists them."
            ) from error
        job = documents.submitted(wanted, result, is_new, options.tenant or 0)
    already = "" if is_new else "Nothing was enqueued, its key is taken. "
    if result.is_replaced:
        already = "No job was added: the one that waits under its key has these arguments now. "
    does = _DOES.get(result.status, "has ended")
    where = f" in {job['queue']}" if does != "has ended" else ""
    when = f", not before {job['scheduled_at']}" if job["scheduled_at"] and does == "waits" else ""
    return Answer({"job": job}, [f"{already}Job {job['id']}: {job['task']} {does}{where}{when}."])


_DOES = {TaskResultStatus.READY: "waits", TaskResultStatus.RUNNING: "runs"}


def _add_uniqueness(parser: CommandParser) -> None:
    group = parser.add_argument_group(
        "one job for several calls", "in the place of what the task declares (youtility_tasks/UNIQUENESS.md)"
    )
    group.add_argument(
        "--unique",
        type=arguments.words,
        metavar="KEY",
        help="no second job of the task while one with this key waits or runs",
    )
    group.add_argument(
        "--unique-by", type=arguments.names, metavar="A,B", help="the key is made of these arguments (default: of all)"
    )
    group.add_argument("--while", choices=uniqueness.WHILES, dest="while_", help="how long a job holds its key")
    group.add_argument(
        "--period", type=arguments.span_s, metavar="SPAN", help="for so long from its enqueue: 90s, 15m, 2h"
    )
    group.add_argument(
        "--on-conflict",
        choices=uniqueness.CONFLICTS,
        help="what becomes of a job that waits under the key (default: keep)",
    )
    group.add_argument(
        "--debounce", type=arguments.span_s, metavar="SPAN", help="run so long after the last call with the key, once"
    )
    group.add_argument(
        "--max-wait",
        type=arguments.span_s,
        metavar="SPAN",
        help="with --debounce: but so long after the first at the latest",
    )


def _uniqueness(options: Namespace) -> dict[str, Any]:
    of_unique = {"while_": options.while_, "period_s": options.period, "on_conflict": options.on_conflict}
    said = {name: value for name, value in of_unique.items() if value is not None}
    whose = {"key": options.unique, "by": options.unique_by}
    if options.debounce is not None:
        if said:
            raise BadUsage(
                "--debounce says what becomes of a later call: leave out --while, --period and --on-conflict."
            )
        return {"debounce": uniqueness.Debounce(options.debounce, **whose, max_wait_s=options.max_wait)}
    if options.max_wait is not None:
        raise BadUsage("--max-wait belongs to --debounce: give that too.")
    if said or options.unique_by is not None:
        return {"unique": uniqueness.Unique(**whose, **said)}
    return {"unique": options.unique}


def _json_object(text: str) -> dict[str, Any]:
    given_as, text = ("what came from stdin", sys.stdin.read()) if text == "-" else (repr(text[:80]), text)
    try:
        given = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise argparse.ArgumentTypeError(f"{given_as} is not JSON ({error})") from None
    if not isinstance(given, dict):
        raise argparse.ArgumentTypeError(f"""{given_as} is not an object: arguments go by name, '{{"id": 7}}'""")
    return given
