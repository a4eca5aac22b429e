"""`retry`: give dead letters a fresh set of attempts."""

from __future__ import annotations

from argparse import Namespace

from django.core.management.base import CommandParser

from youtility_tasks import acts, dead_letters
from youtility_tasks.status import JobStatus

from . import act_on, arguments
from .answer import Answer, BadUsage
from .scope import Scope

NAME = "retry"
SCOPE = Scope.CHOSEN
HELP = "Give dead letters a fresh set of attempts, beginning now; with --set with other arguments."
EXAMPLES = (
    "retry 88120 88121",
    "retry 88120 --set level=2",
    "retry --task send_ticket_email --tenant 7 --dry-run",
)


def add_arguments(parser: CommandParser) -> None:
    act_on.add_arguments(parser, meant="dead letter", reason="kept in the audit log")
    arguments.add_changes(parser)


def run(options: Namespace) -> Answer:
    changes = arguments.changes(options)
    if not changes:
        return act_on.run(options, JobStatus.FAILED, lambda ids: acts.retry_many(ids, options.reason), "retried")
    if not options.ids or options.dry_run:
        raise BadUsage(
            "--set is for jobs that are named by their ids: `dead-letters redrive ... --set` is for many, and has --dry-run."
        )
    return act_on.run(
        options, JobStatus.FAILED, lambda ids: dead_letters.retry_many(ids, changes, options.reason), "retried"
    )
