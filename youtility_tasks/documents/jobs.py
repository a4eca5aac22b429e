"""Jobs, their attempts, why they wait, and what an act has done to them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.db.models import Model

from youtility_tasks import history, notes, registry
from youtility_tasks.acts import Acted
from youtility_tasks.declaration import LEAST_URGENT, Task
from youtility_tasks.errors import Refused
from youtility_tasks.history import JobStory
from youtility_tasks.holds import Held
from youtility_tasks.listing import JobLine
from youtility_tasks.models import Job, TaskExecutionHistory
from youtility_tasks.notes import Progress
from youtility_tasks.secrets import marks, sealing
from youtility_tasks.tasks_api import EnqueuedResult
from youtility_tasks.why import Why

from .plain import instant, plain


def line(found: JobLine) -> dict[str, Any]:
    """One job of a list."""
    return {
        "id": found.job_id,
        "status": found.status,
        "task": found.task_name,
        "queue": found.queue_name,
        "tenant": found.tenant_id,
        "priority": found.priority,
        "attempts": found.attempt_count,
        "max_attempts": most_attempts(found.task_name),
        "abort_requested": found.abort_requested,
        "enqueued_at": instant(found.enqueued_at),
        "scheduled_at": instant(found.scheduled_at),
        "started_at": instant(found.started_at),
        "finished_at": instant(found.finished_at),
        "progress": progress(found.progress),
        "error_class": found.error_class,
        "error_message": found.error_message,
    }


def progress(told: Progress | None) -> dict[str, Any] | None:
    """How far a job is."""
    if told is None:
        return None
    return {"done": told.done, "total": told.total, "note": told.note, "at": instant(told.at)}


def most_attempts(task_name: str) -> int | None:
    """How many attempts its task gives a job; None for a task that nobody declares."""
    declared = registry.resolve(task_name)
    return declared.max_attempts if declared else None


def story(known: JobStory, keys: Iterable[Held]) -> dict[str, Any]:
    """One job, in its queue or ended, without its arguments; and the keys that it holds."""
    held = [{"key": each.key, "while": each.while_, "until": instant(each.until)} for each in keys]
    return {**_facts(known), "trace_id": history.trace_of(known), "holds": held}


def _facts(known: JobStory) -> dict[str, Any]:
    job, last = known.job, known.attempts[-1] if known.attempts else None
    shown: dict[str, Any] = {
        "id": known.job_id,
        "status": known.status,
        "task": known.task_name,
        "max_attempts": most_attempts(known.task_name),
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
            "progress": progress(notes.of_job(job)),
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


def args(known: JobStory, *, with_pii: bool = False) -> dict[str, Any]:
    """Its arguments; of marked ones only that they are there, or with `with_pii` those marked `Pii` in clear."""
    declared = registry.resolve(known.task_name)
    marked, verbatim = (declared.marks, declared.verbatim) if declared else (marks.NONE, False)
    stored = known.args
    if with_pii:
        stored = sealing.with_pii(sealing.Place(known.tenant_id, known.task_name, marked, verbatim), stored)
        marked = marks.NONE  # what may not be shown is no longer in it
    shown: dict[str, Any] = sealing.redact(stored, marked, verbatim=verbatim)
    return shown


def attempt(each: TaskExecutionHistory) -> dict[str, Any]:
    """One attempt that has ended."""
    return {
        "attempt": each.attempt,
        "status": each.status,
        "outcome": each.outcome,
        "is_final": each.is_final,
        "started_at": instant(each.started_at),
        "finished_at": instant(each.finished_at),
        "wait_ms": each.wait_ms,
        "run_ms": ran_ms(each),
        "cpu_ms": each.cpu_ms,
        "peak_memory_kib": each.peak_memory_kib,
        "worker_id": each.worker_id,
        "host": each.host,
        "pid": each.pid,
        "result": readable(each, "result"),
        "error_class": each.error_class,
        "error_message": readable(each, "error_message"),
        "traceback": readable(each, "traceback"),
        "output": readable(each, "output"),
    }


def ran_ms(each: TaskExecutionHistory) -> float | None:
    """How long it ran; of one that was killed at its limit nobody but its worker measured that."""
    if each.run_ms is None and each.outcome == "timed_out" and each.started_at is not None:
        return (each.finished_at - each.started_at).total_seconds() * 1_000
    return each.run_ms


def readable(row: Model, column: str) -> Any:
    """The column's value; None where it was left in the database."""
    return None if column in row.get_deferred_fields() else getattr(row, column)


def submitted(wanted: Task, result: EnqueuedResult[Any], is_new: bool, tenant_id: int) -> dict[str, Any]:
    """A job that somebody asked for; where its key was taken, the one that holds it. Asks the database for that one."""
    says_itself = is_new and wanted.debounce is None
    holder = None if says_itself else Job.objects.defer("args").filter(pk=result.id).first()
    return {
        "id": int(result.id),
        "task": wanted.name,
        "queue": holder.queue_name if holder else wanted.queue_name,
        "tenant": tenant_id,
        "enqueued_at": instant(result.enqueued_at),
        "scheduled_at": instant(holder.scheduled_at if holder else wanted.run_after),
        "is_new": is_new,
        "is_replaced": result.is_replaced,
    }


def why(found: Why) -> dict[str, Any]:
    """Why a job does not run."""
    return {
        "id": found.job_id,
        "task": found.task_name,
        "status": found.status,
        "because": found.because,
        "sentence": found.sentence,
        "expected_start_at": instant(found.expected_start_at),
        "facts": plain(found.facts),
    }


def acted(each: Acted) -> dict[str, Any]:
    """What an act has made of one job."""
    return {
        "id": each.job_id,
        "task": each.task_name,
        "queue": each.queue_name,
        "tenant": each.tenant_id,
        "becomes": each.becomes,
    }


def refused(jobs: Mapping[int, Refused]) -> list[dict[str, Any]]:
    """Which jobs an act has left alone, and why."""
    return [{"id": n, "error": type(error).__name__, "message": str(error)} for n, error in jobs.items()]


def all_acted(jobs: Iterable[Acted]) -> list[dict[str, Any]]:
    """What an act has made of many jobs."""
    return [acted(each) for each in jobs]
