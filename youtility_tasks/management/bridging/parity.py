"""`parity`: whether it is safe to let our side run a task."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from django.core.management.base import CommandParser

from youtility_tasks import registry
from youtility_tasks.celery_bridge import parity, routes
from youtility_tasks.celery_bridge.parity import Report
from youtility_tasks.errors import UnknownTask
from youtility_tasks.management.verbs import arguments
from youtility_tasks.management.verbs.answer import REFUSED, Answer, BadUsage, table
from youtility_tasks.management.verbs.scope import Scope

from . import words

NAME = "parity"
SCOPE = Scope.ITS_OWN
HELP = """Compare how tasks do on both sides. Exit status 0: safe to switch; 1: not; 2: bad usage, as a task that there is not.

Without a name: every task whose route is shadow or canary."""
EXAMPLES = ("parity send_ticket_email", "parity send_ticket_email --since 2h --least 500", "parity --json")


def add_arguments(parser: CommandParser) -> None:
    parser.add_argument("tasks", nargs="*", metavar="TASK")
    parser.add_argument("--since", type=arguments.moment, metavar="WHEN", help="what ended since: 2h, 3d, or an instant (default: 1d)")  # fmt: skip
    parser.add_argument("--least", type=arguments.count, default=parity.LEAST, metavar="N", help=f"samples that are needed (default: {parity.LEAST})")  # fmt: skip


def run(options: Namespace) -> Answer:
    names = options.tasks
    for name in names:
        if registry.find(name) is None:
            raise BadUsage(str(UnknownTask(name, registry.registered())))
    with words.as_operator():
        if not names:
            both = (routes.SHADOW, routes.CANARY)
            names = [each.task_name for each in routes.listing() if each.side in both and registry.find(each.task_name)]
        if not names:
            raise BadUsage(
                "No task's route is shadow or canary, so there is nothing to compare by itself: name the tasks."
            )
        found = parity.reports(names, since=arguments.since(options), least=options.least)
        found = [parity.with_differing(each) if not each.is_safe else each for each in found]
    is_safe = all(each.is_safe for each in found)
    page = [line for each in found for line in lines(each)]
    document = {"is_safe": is_safe, "tasks": [parity.document(each) for each in found]}
    return Answer(document, page, 0 if is_safe else REFUSED)


def lines(report: Report) -> list[Any]:
    """One report for people."""
    verdict = "safe to switch" if report.is_safe else f"not safe: {', '.join(report.failing)}"
    said = {True: "holds", False: "DOES NOT HOLD", None: "does not apply"}
    rows = [(each.name, said[each.holds], each.said) for each in report.criteria]
    differing = [(each.celery_id, each.tenant_id or "", each.celery, each.ours, each.at) for each in report.differing]
    shown = [f"{report.task_name}: {verdict}", table(("criterion", "", "seen"), rows, empty="")]
    if differing:
        shown.append(table(("call", "tenant", "in Celery", "here", "at"), differing, empty=""))
    return shown
