"""`pause`: let none of some jobs start."""

from __future__ import annotations

from argparse import Namespace

from django.core.management.base import CommandParser

from youtility_tasks import controls

from . import arguments, control_lines
from .answer import Answer
from .scope import Scope

NAME = "pause"
SCOPE = Scope.OPERATOR
HELP = "Let no job of a queue, a task, a tenant, or of what they share start; those that run go on."
EXAMPLES = (
    "pause reports --minutes 30 --reason 'printer on fire'",
    "pause --task send_ticket_email --tenant 7 --until 2026-11-24T06:00:00Z",
)


def add_arguments(parser: CommandParser) -> None:
    arguments.add_target(parser, alone=True)
    ends = parser.add_mutually_exclusive_group()
    ends.add_argument("--minutes", type=arguments.minutes, metavar="N", help="resume by itself after so many minutes")
    ends.add_argument(
        "--until", type=arguments.aware, metavar="WHEN", help="resume by itself then: 2026-11-24T06:00:00Z"
    )
    parser.add_argument("--reason", default="", help="shown by `limits` and `why`, kept in the audit log")


def run(options: Namespace) -> Answer:
    made = controls.pause(
        **control_lines.named(options),
        minutes=options.minutes,
        until=options.until,
        reason=options.reason,
    )
    return control_lines.answer(made)
