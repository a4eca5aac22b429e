"""`cancel`: take waiting jobs off their queue, or ask running ones to end."""

from __future__ import annotations

from argparse import Namespace

from django.core.management.base import CommandParser

from youtility_tasks import acts
from youtility_tasks.status import JobStatus

from . import act_on
from .answer import Answer
from .scope import Scope

NAME = "cancel"
SCOPE = Scope.CHOSEN
HELP = "Take waiting jobs off their queue; a running one that is named by its id is asked to end."
EXAMPLES = (
    "cancel 88120 --reason 'entered twice'",
    "cancel --task send_ticket_email --tenant 7 --dry-run   # say what would be cancelled",
    "cancel --queue reports --all-tenants",
)


def add_arguments(parser: CommandParser) -> None:
    act_on.add_arguments(parser, meant="waiting job")


def run(options: Namespace) -> Answer:
    return act_on.run(options, JobStatus.TODO, lambda ids: acts.cancel_many(ids, options.reason), "cancelled")
