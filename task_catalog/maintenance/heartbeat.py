"""task_every_min (T27): the cheapest measure of the queue's health."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from task_catalog.arguments import task
from task_catalog.models import Heartbeat
from task_catalog.ports import clock
from youtility_tasks import BadInput, Retry, TaskContext, queues


@task(
    name="task_every_min",
    queue_name=queues.MAINTENANCE,
    priority=10,
    retry=Retry(1, base=0, factor=1, cap=0),
    timeout_s=10,
    tenant="all",
    takes_context=True,
    schedule="* * * * *",
    seed_class="low",
)
def task_every_min(context: TaskContext, *, timestamp: int | None = None) -> dict[str, Any]:
    """Write that the workers of this queue are alive, and by how many seconds they are late.

    `timestamp` is the instant that was scheduled, in seconds since 1970; without it the present minute counts. Second
    attempt: the same row, one for each minute and queue.
    """
    now = clock.now()
    scheduled = now.replace(second=0, microsecond=0) if timestamp is None else _instant(timestamp)
    lag = (now - scheduled).total_seconds()
    Heartbeat.objects.bulk_create(
        [
            Heartbeat(
                minute=scheduled.replace(second=0, microsecond=0),
                worker_group=context.queue_name,
                at=now,
                lag_seconds=lag,
            )
        ],
        update_conflicts=True,
        unique_fields=["minute", "worker_group"],
        update_fields=["at", "lag_seconds"],
    )
    return {"status": "ok", "warnings": [], "at": now.isoformat(), "lag_seconds": lag}


def _instant(timestamp: int) -> datetime:
    wrong = BadInput(f"task_every_min: timestamp is {timestamp!r}; right is seconds since 1970-01-01 UTC.")
    if isinstance(timestamp, bool) or not isinstance(timestamp, int):
        raise wrong
    try:
        return datetime.fromtimestamp(timestamp, tz=UTC)
    except (OverflowError, ValueError, OSError) as error:
        raise wrong from error
