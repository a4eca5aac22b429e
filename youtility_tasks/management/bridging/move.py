"""`move`: what waits on one side to the other, and what a move that was killed has left."""

from __future__ import annotations

from argparse import Namespace

from django.core.management.base import CommandParser

from youtility_tasks.celery_bridge import moving, routes
from youtility_tasks.management.verbs.answer import Answer
from youtility_tasks.management.verbs.scope import Scope

from . import words

NAME = "move"
SCOPE = Scope.ITS_OWN
HELP = (
    "Move what waits of tasks to the other side, each call once; routes stay as they are. After a kill: run it again."
)
EXAMPLES = ("move send_ticket_email --to postgres", "move send_ticket_email --to celery --reason 'worker down'")


def add_arguments(parser: CommandParser) -> None:
    parser.add_argument("tasks", nargs="+", metavar="TASK")
    parser.add_argument("--to", choices=(routes.CELERY, routes.POSTGRES), required=True)
    parser.add_argument("--reason", default="", help="kept in the audit log")


def run(options: Namespace) -> Answer:
    to = moving.to_postgres if options.to == routes.POSTGRES else moving.to_celery
    moved = to(options.tasks, reason=options.reason)
    return Answer(words.of_move(moved), words.lines_of_move(moved))
