"""Schedules as if time had passed: their rows are set back, and nobody waits."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tests.integration.desk import rows
from youtility_tasks import Task, queries, schedules
from youtility_tasks.models import Job, ScheduledTask, ScheduledTaskExecution
from youtility_tasks.schedules import firing


def make(task: Task, name: str = "it", **said: Any) -> ScheduledTask:
    said = {"cron": "*/5 * * * *", **said}
    return schedules.create(name, task.name, **said)


def long_ago(row: ScheduledTask, **since: float) -> ScheduledTask:
    """As if nobody had looked since then."""
    began = rows("SELECT clock_timestamp() - %s", timedelta(**since))[0][0]
    ScheduledTask.objects.filter(pk=row.pk).update(settled_to=began, next_at=began + timedelta(microseconds=1))
    row.refresh_from_db()
    return row


def fire(row: ScheduledTask) -> firing.Settled | None:
    return firing.fire(row.pk, row.tenant_id)


def told(row: ScheduledTask) -> list[tuple[str, str]]:
    found = ScheduledTaskExecution.objects.filter(schedule_id=row.pk).order_by("tick_at")
    return [(each.outcome, each.reason) for each in found]


def jobs(task: Task) -> list[Job]:
    return list(Job.objects.filter(task_name=task.name).order_by("pk"))


def due() -> set[int]:
    return {row[0] for row in queries.fetch("due_schedules", {"but_not": [], "most": 100}) if row[2] <= 0}
