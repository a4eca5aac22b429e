"""Jobs by the queue and its history, and what the tasks said they did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any

from task_catalog import entities
from task_catalog.company_day.company import Company
from task_catalog.company_day.definitions import DAY_TASKS, SESSIONS, midnight
from task_catalog.company_day.expected import Totals
from task_catalog.company_day.played import PLANNING, live_jobs
from task_catalog.company_day.seed import SESSION_PREFIX
from task_catalog.models import Heartbeat
from youtility_tasks import registry
from youtility_tasks.models import TaskExecutionHistory

from .attempts import Attempts
from .letters import by_client

_MADE = ("jobneeds_created", "children_created", "details_created", "reminders_created", "deleted_for_edit")
_DONE = (
    *("autoclosed", "partially_completed", "tickets_created", "escalated", "sent", "mails_sent", "failed", "expired"),
    *("generated", "no_data", "moved", "deleted", "errors"),
)


def count_jobs(company: Company, day: date, attempts: Attempts) -> Totals:
    """How the day's jobs ended, each counted once however many attempts it took; sessions and heartbeats."""
    counted = attempts.counted
    found: Totals = {}
    for task in DAY_TASKS:
        found[f"jobs of {task}"] = _ended(attempt for attempt in counted if attempt.task_name == task)
    queues = Counter(registry.get(attempt.task_name).queue_name for attempt in counted)
    found |= {f"jobs on {queue}": queues[queue] for queue in {registry.get(task).queue_name for task in DAY_TASKS}}
    found["jobs of the day"] = {**_ended(counted), "all": len(counted)}
    for instant, result in attempts.of_sweep("create_job"):
        name = f"create_job {instant:%H:%M} reports a bad cron"
        found[name] = by_client(company, _bad_crons(company, result.get("skipped", [])))
    repeated = list(attempts.repeated())
    found["a second planning sweep at the same instant creates"] = sum(
        _sum(result, _MADE) for task, result in repeated if task in PLANNING
    )
    found["a second run of any other sweep at the same instant does"] = sum(
        _sum(result, _DONE) for task, result in repeated if task not in PLANNING
    )
    found["jobs left waiting or running"] = live_jobs().count()
    found["failed jobs without an error"] = sum(
        attempt.status != "succeeded" and not attempt.error_class for attempt in attempts.all
    )
    return {**found, **_upkeep(day)}


def _ended(attempts: Iterable[TaskExecutionHistory]) -> dict[str, int]:
    statuses = Counter(attempt.status for attempt in attempts)
    return {"succeeded": 0, "failed": 0, **statuses}


def _bad_crons(company: Company, skipped: Iterable[dict[str, Any]]) -> list[int]:
    """The clients of the plans that were skipped for a bad cron; of any other reason, nobody's id."""
    owners = dict(
        entities.Plan.objects.filter(client_id__in=company.client_ids).values_list("pk", "client_id"),
    )
    return [
        owners.get(each["job_id"]) or 0
        if each["reason"] == "bad_cron" and each["job_id"] in company.idle_plan_ids
        else 0
        for each in skipped
    ]


def _sum(result: dict[str, Any], keys: Iterable[str]) -> int:
    """The numbers of a result under these keys; a list counts its items."""
    values = (result.get(key, 0) for key in keys)
    return sum(len(value) if isinstance(value, list | dict) else int(value) for value in values)


def _upkeep(day: date) -> Totals:
    start: datetime = midnight(day)
    left = entities.Session.objects.filter(session_key__startswith=SESSION_PREFIX).count()
    beats = Heartbeat.objects.filter(minute__gte=start, minute__lt=start + timedelta(days=1))
    return {
        "sessions": {"deleted": SESSIONS - left, "left": left},
        "heartbeats": beats.values("minute").distinct().count(),
    }
