"""`route`: send the calls of tasks to one side."""

from __future__ import annotations

import argparse
from argparse import Namespace
from collections.abc import Sequence

from django.core.management.base import CommandParser

from youtility_tasks import registry
from youtility_tasks.celery_bridge import routes
from youtility_tasks.management.verbs.answer import Answer, BadUsage
from youtility_tasks.management.verbs.scope import Scope
from youtility_tasks.models import BridgeRoute

from . import words

NAME = "route"
SCOPE = Scope.ITS_OWN
HELP = """Send the calls of tasks to celery, shadow (Celery, and here without effects), canary P% (a share here), or postgres.

What is called after this ends goes the new way, in every process. What waits on the other side ends there, unless --move."""
EXAMPLES = (
    "route send_ticket_email shadow --reason 'first wave'",
    "route send_ticket_email canary 10%",
    "route send_ticket_email canary 25% --by site_id",
    "route send_ticket_email postgres --move",
    "route --all celery --drain --timeout 15m",
)


def add_arguments(parser: CommandParser) -> None:
    parser.add_argument("words", nargs="+", metavar="TASK ... SIDE [P%]", help="tasks, then celery, shadow, canary P% or postgres")  # fmt: skip
    parser.add_argument("--all", action="store_true", help="every registered task, in place of TASK ...")
    parser.add_argument(
        "--by", metavar="ARGUMENT", help="of a canary: what the choice sticks to within a tenant; * is all arguments (default: the tenant)"
    )  # fmt: skip
    parser.add_argument("--version-seen", type=int, metavar="N", help="refuse if the route has another version by now")
    words.add_waiting(parser)


def run(options: Namespace) -> Answer:
    names, side, percent = parse(options.words)
    if options.all == bool(names):
        raise BadUsage("Which tasks? Name some, or give --all: route send_ticket_email canary 10%")
    names = sorted(registry.registered()) if options.all else names
    seen = options.version_seen
    return words.change(
        options, names, side, percent=percent, sticks_to=options.by,
        expected=None if seen is None else dict.fromkeys(names, seen),
    )  # fmt: skip


def parse(said: Sequence[str]) -> tuple[list[str], str, float | None]:
    """The tasks, the side and the share that these words name. Raises BadUsage."""
    left, percent = list(said), None
    if len(left) > 1 and left[-2] == routes.CANARY:
        try:
            percent = words.percentage(left.pop())
        except argparse.ArgumentTypeError as error:
            raise BadUsage(str(error)) from error
    side = left.pop()
    if side not in BridgeRoute.Side.values:
        raise BadUsage(f"{side!r} is no side: right is celery, shadow, canary P% or postgres, after the tasks.")
    if (side == routes.CANARY) != (percent is not None):
        raise BadUsage("A canary needs its share: canary 10%")
    return left, side, percent
