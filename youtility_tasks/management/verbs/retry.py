"""`retry`: give dead letters a fresh set of attempts."""

from __future__ import annotations

from argparse import Namespace

from django.core.management.base import CommandParser

from youtility_tasks import acts
from youtility_tasks.status import JobStatus

from . import act_on
from .answer import Answer
from .scope import Scope

NAME = "retry"
SCOPE = Scope.CHOSEN
HELP = "Give dead letters a fresh set of attempts, beginning now."


def add_arguments(parser: CommandParser) -> None:
    act_on.add_arguments(parser, meant="dead letter", reason=False)


def run(options: Namespace) -> Answer:
    return act_on.run(options, JobStatus.FAILED, acts.retry_many, "retried")
