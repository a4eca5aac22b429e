"""`audit`: who did what, and why."""

from __future__ import annotations

from argparse import Namespace

from django.core.management.base import CommandParser
from rich.console import RenderableType

from youtility_tasks.documents import people as documents
from youtility_tasks.documents.plain import first_line
from youtility_tasks.models import TaskAuditLog

from . import arguments
from .answer import Answer, table
from .scope import Scope

NAME = "audit"
SCOPE = Scope.CHOSEN
HELP = "List what people and programs did, newest first: who, what, to which, and why."
EXAMPLES = (
    "audit --since 2d",
    "audit --act discard --by ann",
    "audit --target 88120 --json             # all that was done to one job, with before and after",
)
CAN_WATCH = True


def add_arguments(parser: CommandParser) -> None:
    parser.add_argument(
        "--act", type=arguments.words, metavar="ACT", help="one kind of act: pause, retry, discard, ..."
    )
    parser.add_argument("--by", type=arguments.words, metavar="NAME", help="what this person or program did")
    parser.add_argument(
        "--target", type=arguments.words, metavar="TEXT", help="what has this in its name, or a job's id"
    )
    parser.add_argument("--since", type=arguments.moment, metavar="WHEN", help="2h, 3d, or 2026-11-24T06:00:00Z")
    parser.add_argument("--until", type=arguments.moment, metavar="WHEN", help="as --since")
    parser.add_argument("--before", type=arguments.act_id, metavar="ID", help="older than this act: the next page")
    parser.add_argument("--limit", type=arguments.count, default=50, metavar="N", help="at most so many (default: 50)")
    arguments.add_tenant_or_all(parser)


def run(options: Namespace) -> Answer:
    found = TaskAuditLog.objects.for_tenant(options.tenant).of_act(options.act).by(options.by).about(options.target)
    found = found.between(arguments.instant_of(options, "since"), arguments.instant_of(options, "until"))
    acts = list(found.before(options.before).order_by("-pk")[: options.limit + 1])
    if not acts:
        arguments.explain_nothing(options)
    shown, more = acts[: options.limit], len(acts) > options.limit
    rows = [
        (
            each.pk,
            each.at,
            each.actor,
            each.act,
            first_line(each.target, 100),
            "" if each.tenant_id is None else each.tenant_id or "sweeps",
            first_line(each.reason, 100),
        )
        for each in shown
    ]
    page: list[RenderableType] = [
        table(("id", "at", "who", "did", "to", "tenant", "why"), rows, empty="Nothing was done that matches.")
    ]
    if more:
        page.append(f"There are more: --before {shown[-1].pk} shows the next ones.")
    return Answer({"acts": [documents.act(each) for each in shown], "has_more": more}, page)
