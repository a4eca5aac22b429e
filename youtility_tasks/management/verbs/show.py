"""`show`: one job with every attempt."""

from __future__ import annotations

import json
from argparse import Namespace
from typing import Any

from django.core.management.base import CommandParser
from rich.console import RenderableType

from youtility_tasks import history, holds, notes
from youtility_tasks.documents import jobs as documents
from youtility_tasks.errors import JobNotFound
from youtility_tasks.history import JobStory

from . import arguments
from .answer import Answer, BadUsage, span_ms, table
from .scope import Scope

NAME = "show"
SCOPE = Scope.TENANT
HELP = "Show one job with every attempt, its error and its traceback."
EXAMPLES = (
    "show 88120",
    "show 88120 --args --json | less",
)

_LONGEST_SHOWN = 4_000


def add_arguments(parser: CommandParser) -> None:
    parser.add_argument("id", type=arguments.job_id, help="the job")
    parser.add_argument(
        "--args",
        action="store_true",
        dest="with_args",
        help="its arguments and its checkpoint, too: they may hold people's names",
    )
    parser.add_argument(
        "--pii", action="store_true", help="with --args: those marked `Pii`, too; those marked `Secret` are never shown"
    )
    arguments.add_tenant(parser, help="look only among this tenant's jobs")


def run(options: Namespace) -> Answer:
    if options.pii and not options.with_args:
        raise BadUsage("--pii says which arguments are shown: give --args with it.")
    known = history.story(options.id, tenant_id=options.tenant)
    if known is None:
        raise JobNotFound(options.id)
    keys = holds.held(known.job_id, known.tenant_id, known.job)
    job = documents.story(known, keys)
    if options.with_args:
        job["args"] = documents.args(known, with_pii=options.pii)
        if known.job is not None:
            job["checkpoint"] = notes.kept_by(known.job_id)
    attempts = [documents.attempt(each) for each in known.attempts]
    shown = {**job, "holds": "\n".join(each.sentence for each in keys) or None}
    return Answer({"job": job, "attempts": attempts}, _page(shown, known))


def _page(job: dict[str, Any], known: JobStory) -> list[RenderableType]:
    shown = {**job, "progress": str(notes.of_job(known.job) or "") or None} if known.job is not None else job
    facts = [(name, _short(value)) for name, value in shown.items() if value is not None and value is not False]
    attempts = [
        (
            each.attempt,
            each.outcome,
            each.started_at,
            each.finished_at,
            span_ms(each.wait_ms),
            span_ms(documents.ran_ms(each)),
            span_ms(each.cpu_ms),
            f"{each.host}:{each.pid}" if each.pid else each.host,
        )
        for each in known.attempts
    ]
    headings = ("attempt", "outcome", "started", "ended", "waited", "ran", "cpu", "process")
    page = [table(("job", ""), facts, empty=""), table(headings, attempts, empty="No attempt has ended yet.")]
    for each in known.attempts:
        if each.result is not None:
            page.append(f"result of attempt {each.attempt}: {_short(each.result)}\n")
        if each.error_message or each.error_class or each.traceback:
            said = f"{each.error_class}: {each.error_message}" if each.error_class else each.error_message
            page.append(f"attempt {each.attempt}, {each.outcome}: {said}\n{each.traceback}")
        if each.output:
            page.append(f"attempt {each.attempt} printed: {_short(each.output)}\n")
    return page


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]} … (all of it: --json)"
