"""Queues, what ended lately, limits and pauses, workers, and the tasks that there are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from youtility_tasks.conf import settings
from youtility_tasks.controls import Control
from youtility_tasks.declaration import Task
from youtility_tasks.metrics import QueueNumbers, Summary
from youtility_tasks.models import TaskWorker, WorkerHeartbeat
from youtility_tasks.status import WorkerStatus

from .plain import first_line, instant

_GONE = {WorkerStatus.STOPPED, WorkerStatus.LOST}


def stats(
    at: datetime,
    tenant_id: int | None,
    numbers: list[QueueNumbers],
    whole: Summary,
    by_queue: Mapping[str, Summary],
    by_task: Iterable[Summary],
) -> dict[str, Any]:
    """All queues, and what ended in the last hour: in all, by queue, and by task."""
    return {
        "at": instant(at),
        "tenant": tenant_id,
        "queues": [{**now(each), "last_hour": hour(by_queue.get(each.queue_name))} for each in numbers],
        "last_hour": hour(whole),
        "tasks": [{"task": each.task_name, "queue": each.queue_name, "last_hour": hour(each)} for each in by_task],
    }


def now(numbers: QueueNumbers) -> dict[str, Any]:
    """One queue as it stands."""
    return {
        "queue": numbers.queue_name,
        "todo": numbers.todo,
        "doing": numbers.doing,
        "scheduled": numbers.scheduled,
        "failed": numbers.failed,
        "oldest_seconds": round(numbers.oldest_s, 3),
    }


def hour(lately: Summary | None) -> dict[str, Any]:
    """What ended in the last hour."""
    return {
        "attempts": lately.attempt_count if lately else 0,
        "succeeded": lately.succeeded_count if lately else 0,
        "retried": lately.retried_count if lately else 0,
        "failed": lately.failed_count if lately else 0,
        "wait_p50_ms": lately.wait_p50_ms if lately else None,
        "wait_p95_ms": lately.wait_p95_ms if lately else None,
        "run_p50_ms": lately.run_p50_ms if lately else None,
        "run_p95_ms": lately.run_p95_ms if lately else None,
    }


def control(each: Control) -> dict[str, Any]:
    """One limit or pause."""
    return {
        "target": each.target,
        "queue": each.queue_name,
        "task": each.task_name,
        "tenant": each.tenant_id,
        "max_running": each.max_running,
        "running": each.running_count,
        "rate_per_s": each.rate_per_s,
        "burst": each.burst,
        "tokens": None if each.tokens is None else round(each.tokens, 3),
        "is_paused": each.is_paused,
        "paused_until": instant(each.paused_until) if each.is_paused else None,
        "paused_at": instant(each.paused_at) if each.is_paused else None,
        "paused_by": each.paused_by if each.is_paused else None,
        "reason": each.reason if each.is_paused else None,
        "parked": each.parked_count,
        "changed_at": instant(each.changed_at),
        "changed_by": each.changed_by,
    }


def worker(found: TaskWorker) -> dict[str, Any]:
    """One worker process, asked for `with_silence()`."""
    silence: Any = getattr(found, "silence")  # noqa: B009 - an annotation of the query
    silent_s = max(0.0, silence.total_seconds())
    return {
        "id": found.pk,
        "host": found.host,
        "pid": found.pid,
        "queue": found.queue_name,
        "status": found.status,
        "is_silent": found.status not in _GONE and silent_s > settings().lease_s,
        "silent_seconds": round(silent_s, 3),
        "slots": found.slots,
        "supervisor_pid": found.supervisor_pid,
        "version": found.version or None,
        "python": found.python or None,
        "memory_bytes": found.memory_bytes,
        "started_at": instant(found.started_at),
        "heartbeat_at": instant(found.heartbeat_at),
        "stopped_at": instant(found.stopped_at),
        "children": found.children,
        "replaced": (found.replaced or {}).get("counts", {}),
        "order": found.told or None,
        "order_at": instant(found.told_at),
        "order_by": found.told_by or None,
        "order_reason": found.told_reason or None,
    }


def one_worker(found: TaskWorker, samples: Iterable[WorkerHeartbeat]) -> dict[str, Any]:
    """A worker with the last children that it replaced, newest first, and how it did, oldest first."""
    last = [
        {**each, "at": instant(datetime.fromisoformat(each["at"]))} for each in (found.replaced or {}).get("last", [])
    ]
    return {**worker(found), "replacements": last, "heartbeats": [heartbeat(each) for each in samples]}


def heartbeat(each: WorkerHeartbeat) -> dict[str, Any]:
    """How a worker did in the minute before."""
    return {
        "at": instant(each.at),
        "memory_bytes": each.memory_bytes,
        "children_memory_bytes": each.children_bytes,
        "children": each.child_count,
        "running_mean": round(each.running_mean, 2),
        "running_most": each.running_most,
        "cpu": round(each.cpu, 3),
    }


def task(each: Task) -> dict[str, Any]:
    """One registered task, and what it declares."""
    return {
        "name": each.name,
        "queue": each.queue_name,
        "priority": each.priority,
        "timeout_s": each.timeout_s,
        "max_attempts": each.max_attempts,
        "schedule": each.schedule,
        "seed_class": each.seed_class,
        "is_built": each.is_built,
        "is_isolated": each.isolated,
        "tenant": each.tenant,
        "aliases": list(each.aliases),
        "arguments": [str(given.replace(annotation=given.empty)) for given in each.signature.parameters.values()],
        "summary": first_line(each.func.__doc__ or "", limit=200),
    }
