"""`tasks`: what is registered, and what each task declares."""

from __future__ import annotations

from argparse import Namespace

from django.core.management.base import CommandParser

from youtility_tasks import registry
from youtility_tasks.documents import queues as documents

from . import arguments
from .answer import Answer, span, table
from .scope import Scope

NAME = "tasks"
SCOPE = Scope.ITS_OWN
HELP = "List the registered tasks and what each declares."


def add_arguments(parser: CommandParser) -> None:
    parser.add_argument("--queue", metavar="QUEUE", help="only of this queue")


def run(options: Namespace) -> Answer:
    found = [each for each in registry.registered().values() if options.queue in (None, each.queue_name)]
    if not found:
        arguments.explain_nothing(options)
    rows = [
        (
            each.name if each.is_built else f"{each.name} (not built yet)",
            each.queue_name,
            each.priority,
            span(each.timeout_s),
            each.max_attempts,
            each.schedule,
            "all" if each.tenant == "all" else "one",
            each.seed_class,
        )
        for each in found
    ]
    headings = ("task", "queue", "priority", "timeout", "attempts", "schedule (UTC)", "tenants", "class")
    return Answer(
        {"tasks": [documents.task(each) for each in found]}, [table(headings, rows, empty="No task is registered.")]
    )
