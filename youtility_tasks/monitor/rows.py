"""What the monitor says, as rows of plain text; nothing here knows a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from youtility_tasks.controls import Control
from youtility_tasks.documents import jobs as job_documents
from youtility_tasks.documents import letters as letter_documents
from youtility_tasks.documents import queues as queue_documents
from youtility_tasks.documents import schedules as schedule_documents
from youtility_tasks.documents.lines import span, span_ms
from youtility_tasks.documents.plain import first_line, instant
from youtility_tasks.history import JobStory
from youtility_tasks.schedules import editing
from youtility_tasks.status import JobStatus

from .desk import RATE_OVER_S, Look, Pane

_MIB = 1024 * 1024

HEADINGS: dict[Pane, tuple[str, ...]] = {
    Pane.QUEUES: ("queue", "todo", "doing", "later", "failed", "oldest", "per min", "state"),
    Pane.WORKERS: ("id", "queue", "status", "jobs", "slots", "memory", "heard", "child", "host"),
    Pane.JOBS: ("id", "status", "task", "queue", "tenant", "tries", "enqueued", "error"),
    Pane.FAILURES: ("letters", "task", "error", "at", "last", "job"),
    Pane.SCHEDULES: ("schedule", "tenant", "task", "when", "next (UTC)"),
}
NOTHING: dict[Pane, str] = {
    Pane.QUEUES: "No queue is configured.",
    Pane.WORKERS: "No worker is running: `run_postgresql_worker` starts one for each queue.",
    Pane.JOBS: "No job matches.",
    Pane.FAILURES: "Nothing has failed for good.",
    Pane.SCHEDULES: "No schedules.",
}
NOT_A_TENANTS = "Who works where is an operator's to see: --all-tenants."


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a table; `key` stays with what it is about."""

    key: str
    cells: tuple[str, ...]


def of(pane: Pane, look: Look) -> list[Row]:
    """The lines of a pane."""
    match pane:
        case Pane.QUEUES:
            return _queues(look)
        case Pane.WORKERS:
            return _workers(look)
        case Pane.JOBS:
            return _jobs(look)
        case Pane.FAILURES:
            return _failures(look)
        case Pane.SCHEDULES:
            return _schedules(look)


def sums(look: Look) -> str:
    """One line over all queues."""
    todo, doing, later, failed = (
        sum(getattr(each, name) for each in look.numbers) for name in ("todo", "doing", "scheduled", "failed")
    )
    return f"todo {todo:,}  doing {doing:,}  later {later:,}  failed {failed:,}  {clock(look.at)}"


def clock(at: datetime) -> str:
    """The time of day, in UTC."""
    return at.astimezone(UTC).strftime("%H:%M:%SZ")


def pauses(look: Look, tenant_id: int | None) -> dict[str, Control]:
    """The pauses of whole queues (of the tenant's part of them), by queue."""
    return {
        each.queue_name: each
        for each in look.controls
        if each.is_paused and each.queue_name and each.task_name is None and each.tenant_id == tenant_id
    }


def _queues(look: Look) -> list[Row]:
    found = []
    for each in look.numbers:
        its = [control for control in look.controls if control.queue_name == each.queue_name]
        cells = (
            each.queue_name, f"{each.todo:,}", f"{each.doing:,}", f"{each.scheduled:,}", f"{each.failed:,}",
            span(each.oldest_s) if each.todo else "", f"{look.rates.get(each.queue_name, 0) * 60 / RATE_OVER_S:,.0f}",
            "; ".join(filter(None, map(_state, its))),
        )  # fmt: skip
        found.append(Row(each.queue_name, cells))
    return found


def _state(control: Control) -> str:
    whose = [f"tenant {control.tenant_id}"] if control.tenant_id is not None else []
    whose += [control.task_name] if control.task_name else []
    of = f"{' '.join(whose)} " if whose else ""
    if control.is_paused:
        until = f" until {clock(control.paused_until)}" if control.paused_until else ""
        return first_line(f"{of}paused{until}" + (f": {control.reason}" if control.reason else ""))
    if control.max_running is not None:
        return f"{of}{control.running_count} of {control.max_running} run"
    return f"{of}{control.rate_per_s:g}/s" if control.rate_per_s is not None else ""


def _workers(look: Look) -> list[Row]:
    found = []
    for each in map(queue_documents.worker, look.workers):
        children = each["children"]
        memory = (each["memory_bytes"] or 0) + sum(child.get("memory_bytes") or 0 for child in children)
        cells = (
            str(each["id"]), each["queue"], _status(each), str(sum(child.get("jobs", 0) for child in children)),
            str(each["slots"]), f"{memory // _MIB} MiB", f"{span(each['silent_seconds'])}", str(len(children)),
            f"{each['host']}:{each['pid']}",
        )  # fmt: skip
        found.append(Row(str(each["id"]), cells))
    return found


def _status(worker: dict[str, Any]) -> str:
    if worker["is_silent"]:
        return "SILENT"
    told, status = worker["order"], str(worker["status"])
    return f"{status} > {told}" if told and status == "running" else status


def _jobs(look: Look) -> list[Row]:
    found = []
    for each in look.jobs:
        most = job_documents.most_attempts(each.task_name) or "?"
        said = (
            f"{each.error_class.rpartition('.')[2]}: {each.error_message}" if each.error_class else each.error_message
        )
        status = f"{each.status}!" if each.abort_requested and each.status == JobStatus.DOING else str(each.status)
        cells = (
            str(each.job_id), status, each.task_name, each.queue_name, str(each.tenant_id or "all"),
            f"{each.attempt_count}/{most}", each.enqueued_at.astimezone(UTC).strftime("%d %H:%M:%S"), first_line(said, 200),
        )  # fmt: skip
        found.append(Row(str(each.job_id), cells))
    return found


def _failures(look: Look) -> list[Row]:
    return [
        Row(
            f"{each.task_name} {each.fingerprint}",
            (
                f"{each.count:,}", each.task_name,
                first_line(": ".join(filter(None, [each.error_class.rpartition(".")[2], each.says])), 200), each.place,
                each.last_failed_at.astimezone(UTC).strftime("%d %H:%M:%S") if each.last_failed_at else "", str(each.job_id),
            ),
        )
        for each in look.groups
    ]  # fmt: skip


def _schedules(look: Look) -> list[Row]:
    found = []
    for each in look.schedules:
        when = each.cron if each.cron else f"every {span(each.every_s)}" if each.every_s else "once"
        next_at = each.next_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S") if each.next_at else "never"
        state = "paused" if editing.is_paused(each, look.at) else next_at
        found.append(Row(str(each.pk), (each.name, str(each.tenant_id or "sweeps"), each.task_name, when, state)))
    return found


def job(known: JobStory, because: str) -> str:
    """All that is told of one job, and why it stands where it does."""
    facts = {
        name: value for name, value in job_documents.story(known, ()).items() if value not in (None, "", False, [])
    }
    lines = [because, "", *(f"{name}: {value}" for name, value in facts.items())]
    for each in map(job_documents.attempt, known.attempts):
        lines += [
            "",
            f"attempt {each['attempt']}: {each['outcome']} at {each['finished_at']}, ran {span_ms(each['run_ms'])}",
        ]
        lines += [f"  on {each['host']}:{each['pid']}, worker {each['worker_id']}"] if each["host"] else []
        error = ": ".join(filter(None, [each["error_class"], each["error_message"]]))
        lines += [f"  {error}"] if error else []
        lines += [each["traceback"]] if each["traceback"] else []
    if not known.attempts:
        lines += ["", "No attempt has ended yet."]
    return "\n".join(lines)


def worker(look: Look, worker_id: int) -> str:
    """All that is told of one worker."""
    found = next((each for each in look.workers if each.pk == worker_id), None)
    if found is None:
        return f"Worker {worker_id} is not there any more."
    told = queue_documents.worker(found)
    lines = [
        f"{name}: {value}" for name, value in told.items() if name != "children" and value not in (None, "", False)
    ]
    for each in told["children"]:
        lines.append(
            f"child {each.get('pid')}: {(each.get('memory_bytes') or 0) // _MIB} MiB, {each.get('jobs', 0)} jobs"
        )
    return "\n".join(lines)


def document(look: Look, tenant_id: int | None) -> dict[str, Any]:
    """The same, once, for programs."""
    paused = pauses(look, tenant_id)
    return {
        "at": instant(look.at),
        "tenant": tenant_id,
        "queues": [
            {
                **queue_documents.now(each),
                "ended_per_minute": round(look.rates.get(each.queue_name, 0) * 60 / RATE_OVER_S, 3),
                "is_paused": each.queue_name in paused,
            }
            for each in look.numbers
        ],
        "controls": [queue_documents.control(each) for each in look.controls],
        "workers": [queue_documents.worker(each) for each in look.workers] if tenant_id is None else None,
        "failures": [letter_documents.group(each) for each in look.groups],
        "schedules": [schedule_documents.schedule(each, look.at) for each in look.schedules],
    }


def page(look: Look) -> Sequence[tuple[tuple[str, ...], list[tuple[str, ...]], str]]:
    """The same, once, for people: headings, rows and what stands there instead of none."""
    panes = [each for each in Pane if each is not Pane.JOBS]
    return [(HEADINGS[pane], [row.cells for row in of(pane, look)], NOTHING[pane]) for pane in panes]
