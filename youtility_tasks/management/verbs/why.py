"""`why`: why a job does not run."""

from __future__ import annotations

import contextlib
from argparse import Namespace

from django.core.management.base import CommandParser

from youtility_tasks.documents import jobs as documents
from youtility_tasks.tenants import tenant
from youtility_tasks.why import why

from . import arguments
from .answer import Answer
from .scope import Scope

NAME = "why"
SCOPE = Scope.CHOSEN
HELP = "Say why a job does not run, and when it may."
EXAMPLES = (
    "why 88120",
    "why 88120 --tenant 7 --json",
)
CAN_WATCH = True


def add_arguments(parser: CommandParser) -> None:
    parser.add_argument("id", type=arguments.job_id, help="the job")
    arguments.add_tenant_or_all(parser)


def run(options: Namespace) -> Answer:
    with tenant(options.tenant) if options.tenant is not None else contextlib.nullcontext():
        found = why(options.id)
    return Answer(documents.why(found), [f"Job {found.job_id} ({found.task_name}): {found.sentence}"])
