"""cleanup_expired_sessions_task (T23): deletes the web sessions that have ended."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from task_catalog import entities
from task_catalog.arguments import task
from task_catalog.ports import clock
from task_catalog.sweeps import Sweep
from youtility_tasks import BadInput, Retry, TaskContext, queues

if TYPE_CHECKING:
    from django.contrib.sessions.models import Session
    from django.db.models import QuerySet

BATCH = 5_000
"""Rows deleted by one statement, so that none holds its locks for long."""


@task(
    name="cleanup_expired_sessions_task",
    queue_name=queues.MAINTENANCE,
    priority=8,
    retry=Retry(4, base=300, factor=2, cap=3600),
    timeout_s=120,
    lock="cleanup_expired_sessions_task",
    queueing_lock="cleanup_expired_sessions_task",
    tenant="all",
    takes_context=True,
    schedule="0 2 * * *",
    seed_class="session",
)
def cleanup_expired_sessions_task(context: TaskContext, *, retention_days: int = 0) -> dict[str, Any]:
    """Delete the sessions that expired more than `retention_days` ago; `remaining` counts those left for the next job.

    Second attempt: deletes what is left. Sessions belong to no tenant, so they are gone through once.
    """
    if isinstance(retention_days, bool) or not isinstance(retention_days, int) or not 0 <= retention_days <= 36_500:
        raise BadInput(f"retention_days is {retention_days!r}; right is a whole number of days, from 0.")
    before = clock.now() - timedelta(days=retention_days)
    ended: QuerySet[Session] = entities.Session.objects.filter(expire_date__lt=before)
    sweep = Sweep(context)
    deleted = 0
    while not sweep.time_is_up():
        batch = ended.order_by("expire_date").values("pk")[:BATCH]
        removed = entities.Session.objects.filter(pk__in=batch).delete()[0]
        deleted += removed
        if removed < BATCH:
            break
    else:
        sweep.stopped = True
    remaining = ended.count()
    if sweep.to_be_continued and remaining:
        cleanup_expired_sessions_task.enqueue(retention_days=retention_days)
    status = "partial" if remaining and sweep.stopped else "ok"
    return {"status": status, "warnings": [], "deleted": deleted, "remaining": remaining}
