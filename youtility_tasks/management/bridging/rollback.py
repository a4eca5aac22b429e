"""`rollback`: back to Celery."""

from __future__ import annotations

from argparse import Namespace

from django.core.management.base import CommandParser

from youtility_tasks import registry
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
    names = also = options.tasks
    if options.all:
        with words.as_operator():
            routed = [each for each in routes.listing() if each.version]
        names = [each.task_name for each in routed if each.side != routes.CELERY]
        # One that was killed has changed the routes, and not moved all: run again, it ends that.
        also = [each.task_name for each in routed if registry.find(each.task_name) is not None]
        if not names and not (also and (options.move or options.drain)):
            raise Refused(
                "No task has a route that leads away from Celery, so nothing was rolled back. `celery_bridge status` lists them."
            )
    return words.change(options, names, routes.CELERY, also=also)
