"""`dead-letters`: the jobs that have failed for good and wait for a decision."""

from __future__ import annotations

from argparse import Namespace

from django.core.management.base import CommandParser

from youtility_tasks.documents import jobs as documents
from youtility_tasks.status import JobStatus

from . import arguments, job_lines
from .answer import Answer
from .scope import Scope

NAME = "dead-letters"
SCOPE = Scope.CHOSEN
HELP = "List the jobs that have failed for good; `retry` or `discard` decides about them."


def add_arguments(parser: CommandParser) -> None:
    arguments.add_filters(parser)


def run(options: Namespace) -> Answer:
    found, more = job_lines.find(options, [JobStatus.FAILED])
    page = job_lines.page(found, more, empty="No dead letters.")
    if found:
        page.append("`show ID` has the traceback; `retry ID ...` gives new attempts, `discard ID ...` removes.")
    return Answer({"dead_letters": [documents.line(line) for line in found], "has_more": more}, page)
