"""`tasks`: what is registered, and what each task declares."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from django.core.management.base import CommandParser

from youtility_tasks import registry
from youtility_tasks.declaration import Task

from . import arguments
from .answer import Answer, first_line, span, table
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
    return Answer({"tasks": [_shown(each) for each in found]}, [table(headings, rows, empty="No task is registered.")])


def _shown(task: Task) -> dict[str, Any]:
    return {
        "name": task.name,
        "queue": task.queue_name,
        "priority": task.priority,
        "timeout_s": task.timeout_s,
        "max_attempts": task.max_attempts,
        "schedule": task.schedule,
        "seed_class": task.seed_class,
        "is_built": task.is_built,
        "is_isolated": task.isolated,
        "tenant": task.tenant,
        "aliases": list(task.aliases),
        "arguments": [str(each.replace(annotation=each.empty)) for each in task.signature.parameters.values()],
        "summary": first_line(task.func.__doc__ or "", limit=200),
    }
