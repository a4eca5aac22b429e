"""`rollback`: back to Celery."""

from __future__ import annotations

from argparse import Namespace

from django.core.management.base import CommandParser

from youtility_tasks.celery_bridge import routes
from youtility_tasks.errors import Refused
from youtility_tasks.management.verbs.answer import Answer, BadUsage
from youtility_tasks.management.verbs.scope import Scope

from . import words

NAME = "rollback"
SCOPE = Scope.ITS_OWN
HELP = "Send the calls of one task, or of all that have left it, back to Celery."
EXAMPLES = (
    "rollback send_ticket_email --move --reason 'the relay refuses our host'",
    "rollback --all --drain",
)


def add_arguments(parser: CommandParser) -> None:
    parser.add_argument("tasks", nargs="*", metavar="TASK")
    parser.add_argument("--all", action="store_true", help="every task that somebody has routed elsewhere")
    words.add_waiting(parser)


def run(options: Namespace) -> Answer:
    if options.all == bool(options.tasks):
        raise BadUsage("Which tasks? Name some, or give --all.")
    names = options.tasks
    if options.all:
        with words.as_operator():
            names = [each.task_name for each in routes.listing() if each.version and each.side != routes.CELERY]
        if not names:
            raise Refused(
                "No task has a route that leads away from Celery, so nothing was rolled back. `celery_bridge status` lists them."
            )
    return words.change(options, names, routes.CELERY)
