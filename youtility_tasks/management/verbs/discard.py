"""`discard`: take dead letters out of the queue for good."""

from __future__ import annotations

from argparse import Namespace

from django.core.management.base import CommandParser

from youtility_tasks import acts
from youtility_tasks.status import JobStatus

from . import act_on
from .answer import Answer
from .scope import Scope

NAME = "discard"
SCOPE = Scope.CHOSEN
HELP = "Take dead letters out of the queue for good; their history stays."
EXAMPLES = (
    "discard 88120 --reason 'the site is closed'",
    "discard --task send_ticket_email --tenant 7 --dry-run",
)


def add_arguments(parser: CommandParser) -> None:
    act_on.add_arguments(parser, meant="dead letter")


def run(options: Namespace) -> Answer:
    return act_on.run(options, JobStatus.FAILED, lambda ids: acts.discard_many(ids, options.reason), "discarded")
