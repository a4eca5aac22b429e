"""`show`: one job with every attempt."""

from __future__ import annotations

import json
from argparse import Namespace
from typing import Any

from django.core.management.base import CommandParser
from rich.console import RenderableType

from youtility_tasks import history, holds, notes, registry
from youtility_tasks.declaration import LEAST_URGENT
from youtility_tasks.errors import JobNotFound
from youtility_tasks.history import JobStory
from youtility_tasks.models import TaskExecutionHistory
from youtility_tasks.secrets import marks, sealing

from . import arguments, job_lines
from .answer import Answer, BadUsage, instant, span_ms, table
from .scope import Scope

NAME = "show"
SCOPE = Scope.TENANT
HELP = "Show one job with every attempt, its error and its traceback."

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
    job = _job(known)
    keys = holds.held(known.job_id, known.tenant_id, known.job)
    job["holds"] = [{"key": each.key, "while": each.while_, "until": instant(each.until)} for each in keys]
    if options.with_args:
        job["args"] = _args(known, with_pii=options.pii)
        if known.job is not None:
            job["checkpoint"] = notes.kept_by(known.job_id)
    attempts = [_attempt(each) for each in known.attempts]
    shown = {**job, "holds": "\n".join(each.sentence for each in keys) or None}
    return Answer({"job": job, "attempts": attempts}, _page(shown, known))


def _job(known: JobStory) -> dict[str, Any]:
    declared = registry.resolve(known.task_name)
    job, last = known.job, known.attempts[-1] if known.attempts else None
    shown: dict[str, Any] = {
        "id": known.job_id,
        "status": known.status,
        "task": known.task_name,
        "max_attempts": declared.max_attempts if declared else None,
        "is_in_queue": job is not None,
    }
    if job is not None:
        shown |= {
            "queue": job.queue_name,
            "tenant": job.tenant_id,
            "priority": LEAST_URGENT + 1 - job.priority,
            "attempts": job.attempts,
            "enqueued_at": instant(job.enqueued_at),
            "scheduled_at": instant(job.scheduled_at),
            "expires_at": instant(job.expires_at),
            "claimed_at": instant(job.claimed_at),
            "finished_at": instant(job.failed_at),
            "worker_id": job.worker_id,
            "claim_number": job.claim_number,
            "abort_requested": job.abort_requested,
            "progress": job_lines.progress(notes.of_job(job)),
            "crash_count": job.crash_count,
            "rescue_count": job.rescue_count,
            "attempts_before": job.attempts_before or None,
            "fingerprint": job.fingerprint or None,
            "lock": job.lock,
            "queueing_lock": job.queueing_lock,
            "unique_key": job.unique_key,
            "done_key": job.done_key,
        }
    elif last is not None:
        shown |= {
            "queue": last.queue_name,
            "tenant": last.tenant_id,
            "priority": last.priority,
            "attempts": sum(each.outcome != "cancelled" for each in known.attempts),
            "enqueued_at": instant(last.enqueued_at),
            "scheduled_at": instant(last.scheduled_at),
            "finished_at": instant(last.finished_at),
        }
    return shown


def _args(known: JobStory, *, with_pii: bool) -> dict[str, Any]:
    declared = registry.resolve(known.task_name)
    marked, verbatim = (declared.marks, declared.verbatim) if declared else (marks.NONE, False)
    stored = known.args
    if with_pii:
        stored = sealing.with_pii(sealing.Place(known.tenant_id, known.task_name, marked, verbatim), stored)
        marked = marks.NONE  # what may not be shown is no longer in it
    shown: dict[str, Any] = sealing.redact(stored, marked, verbatim=verbatim)
    return shown


def _attempt(each: TaskExecutionHistory) -> dict[str, Any]:
    return {
        "attempt": each.attempt,
        "status": each.status,
        "outcome": each.outcome,
        "is_final": each.is_final,
        "started_at": instant(each.started_at),
        "finished_at": instant(each.finished_at),
        "wait_ms": each.wait_ms,
        "run_ms": each.run_ms,
        "cpu_ms": each.cpu_ms,
        "peak_memory_kib": each.peak_memory_kib,
        "worker_id": each.worker_id,
        "host": each.host,
        "pid": each.pid,
        "result": each.result,
        "error_class": each.error_class,
        "error_message": each.error_message,
        "traceback": each.traceback,
        "output": each.output,
    }


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
            span_ms(each.run_ms),
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
