"""`status`: how the move stands."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from django.core.management.base import CommandParser

from youtility_tasks.celery_bridge import parity, standing
from youtility_tasks.celery_bridge.standing import Standing
from youtility_tasks.management.verbs import arguments
from youtility_tasks.management.verbs.answer import Answer, table
from youtility_tasks.management.verbs.scope import Scope

from . import words

NAME = "status"
SCOPE = Scope.ITS_OWN
CAN_WATCH = True
HELP = "Of each task: its route, what ended and waits on each side, the last error, and whether parity says that it is safe to switch."
EXAMPLES = ("status", "status send_ticket_email --json", "status --watch")


def add_arguments(parser: CommandParser) -> None:
    parser.add_argument("tasks", nargs="*", metavar="TASK")
    parser.add_argument("--since", type=arguments.moment, metavar="WHEN", help="what ended since: 2h, 3d, or an instant (default: 1d)")  # fmt: skip
    parser.add_argument("--least", type=arguments.count, default=parity.LEAST, metavar="N", help=f"samples that parity needs (default: {parity.LEAST})")  # fmt: skip


def run(options: Namespace) -> Answer:
    with words.as_operator():
        found = standing.status(options.tasks or None, since=arguments.since(options), least=options.least)
    headings = (
        "task",
        "goes to",
        "ended there",
        "wait there",
        "held there",
        "ended here",
        "wait here",
        "shadows",
        "last error",
        "parity",
    )
    page: list[Any] = [table(headings, [_row(each) for each in found.tasks], empty="No task is registered.")]
    if found.celery:
        page.append(f"Celery's side could not be asked: {found.celery}")
    for name, n in found.unregistered.items():
        page.append(f"{n} calls of {name} wait in Celery, and no task of that name is registered here.")
    if found.theirs_alone and not options.tasks:
        page.append(
            f"Celery's alone, without a route: {', '.join(found.theirs_alone)}. In their modules `@app.task` becomes `@shared_task`, or "
            "`from youtility_tasks.celery_bridge import current_app as app`."
        )
    if found.moving:
        page.append(f"{found.moving} messages are on their way: a move was killed, and the next one ends it.")
    return Answer(standing.document(found), page)


def _row(each: Standing) -> tuple[Any, ...]:
    there, report, error = each.waiting_there, each.report, each.last_error
    verdict = "safe" if report.is_safe else ", ".join(report.failing)
    return (
        each.route.task_name, each.route, report.celery.ended, "?" if there is None else there.queued,
        "?" if there is None else there.held, report.ours.ended, each.waiting_here, each.shadows_waiting,
        "" if error is None else f"{error.side}: {error.error_class}", verdict,
    )  # fmt: skip
