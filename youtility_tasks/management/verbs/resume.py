"""`resume`: end a pause."""

from __future__ import annotations

from argparse import Namespace

from django.core.management.base import CommandParser

from youtility_tasks import controls

from . import arguments, control_lines
from .answer import Answer
from .scope import Scope

NAME = "resume"
SCOPE = Scope.OPERATOR
HELP = "End a pause: name what was paused, exactly."
EXAMPLES = (
    "resume reports",
    "resume --task send_ticket_email --tenant 7",
)


def add_arguments(parser: CommandParser) -> None:
    arguments.add_target(parser, alone=True)
    parser.add_argument("--reason", default="", help="kept in the audit log")


def run(options: Namespace) -> Answer:
    made = controls.resume(**control_lines.named(options), reason=options.reason)
    return control_lines.answer(made)
