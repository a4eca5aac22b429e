"""`jobs`: what waits, runs, has failed or has ended."""

from __future__ import annotations

from argparse import Namespace

from django.core.management.base import CommandParser

from youtility_tasks.documents import jobs as documents
from youtility_tasks.status import JobStatus

from . import arguments, job_lines
from .answer import Answer
from .scope import Scope

NAME = "jobs"
SCOPE = Scope.CHOSEN
HELP = "List jobs, newest first: those that wait, run or have failed, and those that have ended."
EXAMPLES = (
    "jobs --status doing failed --since 2h",
    "jobs --task send_ticket_email --tenant 7 --limit 10",
    "jobs --search 88120",
    "jobs --queue reports --watch              # until Ctrl-C",
)
CAN_WATCH = True


def add_arguments(parser: CommandParser) -> None:
    parser.add_argument(
        "--status", nargs="+", choices=[each.value for each in JobStatus], default=[], help="only with one of these"
    )
    parser.add_argument(
        "--search",
        type=arguments.words,
        metavar="TEXT",
        help="only what has this: an id, a lock or key, a part of a task's name; or words as task:send_* error:Timeout args.id:7",
    )
    arguments.add_filters(parser)


def run(options: Namespace) -> Answer:
    found, more = job_lines.find(options, [JobStatus(each) for each in options.status])
    return Answer(
        {"jobs": [documents.line(line) for line in found], "has_more": more},
        job_lines.page(found, more, empty="No job matches."),
    )
