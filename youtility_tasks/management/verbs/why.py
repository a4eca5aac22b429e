"""`why`: why a job does not run."""

from __future__ import annotations

import contextlib
from argparse import Namespace
from datetime import datetime
from typing import Any

from django.core.management.base import CommandParser

from youtility_tasks.tenants import tenant
from youtility_tasks.why import why

from . import arguments
from .answer import Answer, instant
from .scope import Scope

NAME = "why"
SCOPE = Scope.CHOSEN
HELP = "Say why a job does not run, and when it may."


def add_arguments(parser: CommandParser) -> None:
    parser.add_argument("id", type=arguments.job_id, help="the job")
    arguments.add_tenant_or_all(parser)


def run(options: Namespace) -> Answer:
    with tenant(options.tenant) if options.tenant is not None else contextlib.nullcontext():
        found = why(options.id)
    document = {
        "id": found.job_id,
        "task": found.task_name,
        "status": found.status,
        "because": found.because,
        "sentence": found.sentence,
        "expected_start_at": instant(found.expected_start_at),
        "facts": _plain(found.facts),
    }
    return Answer(document, [f"Job {found.job_id} ({found.task_name}): {found.sentence}"])


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return instant(value) if isinstance(value, datetime) else value
