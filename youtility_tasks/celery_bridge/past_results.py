"""What Celery did before the move: django-celery-results' rows as ended attempts of the history, each once.

Each becomes the last attempt of a job that has left the queue, under a job's id of its own; `AsyncResult(its Celery id)` finds it. It is neither a dead
letter nor can it be retried. Arguments are not taken along: Celery keeps them as Python's text of them, cut short.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.apps import apps
from django.db import Error, transaction

from youtility_tasks import audit, payload, queries, registry, tenants
from youtility_tasks.conf import settings
from youtility_tasks.declaration import Task
from youtility_tasks.errors import ConfigurationError, EnqueueError, UnknownTenant
from youtility_tasks.models import BridgeCall
from youtility_tasks.schedules.firing import tenant_of
from youtility_tasks.status import JobStatus, Outcome
from youtility_tasks.tenancy import roles

from .sources import Tenants

BATCH = 500
_LONGEST_NAME = 128
_LONGEST_TEXT = 64 * 1024
_ENDED = {
    "SUCCESS": (JobStatus.SUCCEEDED, Outcome.SUCCEEDED),
    "FAILURE": (JobStatus.FAILED, Outcome.FAILED),
    "REVOKED": (JobStatus.CANCELLED, Outcome.CANCELLED),
}
"""Celery's words for an end; the others (PENDING, STARTED, RETRY, ...) are none."""
_ACT = "import results of Celery"


@dataclass(slots=True)
class Imported:
    """What was entered, or would be."""

    entered: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Attempts by task and Celery's word."""
    already: int = 0
    passed_over: Counter[str] = field(default_factory=Counter)
    """Rows by why they were not entered."""
    days: int = 0
    """Partitions that were made for them."""


def import_results(
    tenants_of: Tenants, now: datetime, *, since: datetime | None = None, dry_run: bool = False
) -> Imported:
    """Enter what has ended (since then) and is not there; run again it enters nothing. In batches, each a transaction.

    Raises ConfigurationError where django-celery-results is not installed.
    """
    if not apps.is_installed("django_celery_results"):
        raise ConfigurationError(
            "django_celery_results is not in INSTALLED_APPS here, so there is no table to read; run this in the project that has it."
        )
    done = Imported()
    kept_since = datetime.combine(now.astimezone(UTC).date(), datetime.min.time(), UTC) - timedelta(
        days=settings().shortest_retention_days
    )
    if not dry_run:
        done.days = _make_days(kept_since, since)
    for rows in _batches(since):
        good: dict[int, list[tuple[Any, dict[str, Any]]]] = {}
        for row in rows:
            whose, attempt = _attempt(row, tenants_of, kept_since)
            if isinstance(attempt, str):
                done.passed_over[attempt] += 1
            else:
                good.setdefault(whose, []).append((row, attempt))
        for tenant_id, of_tenant in sorted(good.items()):
            _enter(tenant_id, of_tenant, done, dry_run=dry_run)
    if done.entered and not dry_run:
        with roles.acting_here("ops"):  # of more than one tenant
            audit.write(
                _ACT, "django-celery-results", after={"attempts": done.entered.total(), "already": done.already}
            )
    return done


def _batches(since: datetime | None) -> Iterator[Sequence[Any]]:
    from django_celery_results.models import TaskResult

    last = 0
    while True:
        rows = TaskResult.objects.filter(pk__gt=last).order_by("pk")
        found = list((rows if since is None else rows.filter(date_done__gte=since))[:BATCH])
        if not found:
            return
        last = found[-1].pk
        yield found


def _make_days(kept_since: datetime, since: datetime | None) -> int:
    """The partitions of the days that are still kept; a day whose lock is not to be had goes to DEFAULT, whence upkeep takes it."""
    from django_celery_results.models import TaskResult

    begin = kept_since if since is None else max(kept_since, since)
    ended = TaskResult.objects.filter(date_done__gte=begin, status__in=_ENDED)
    days: list[date] = [each.date() for each in ended.datetimes("date_done", "day", tzinfo=UTC)]
    made = 0
    for day in days:
        try:
            ((moved,),) = queries.fetch("add_history_day", {"day": day})
        except Error:
            continue
        made += moved is not None
    return made


def _attempt(row: Any, tenants_of: Tenants, kept_since: datetime) -> tuple[int, dict[str, Any] | str]:
    """Whose it is, and the attempt; or why it is none."""
    if row.status not in _ENDED:
        return 0, f"{row.status} is no end"
    name = row.task_name or ""
    if not 0 < len(name) <= _LONGEST_NAME or not name.isprintable():
        return (
            0,
            "no task's name (set result_extended=True in Celery to have it)"
            if not name
            else f"a name of more than {_LONGEST_NAME} characters",
        )
    if row.date_done < kept_since:
        return 0, "older than the history is kept (history_retention_days)"
    task = registry.resolve(name)
    try:
        whose = _whose(task, name, tenants_of)
    except UnknownTenant as error:
        return 0, str(error)
    if whose is None:
        return 0, "no tenant: give --tenant, or --tenant-resolver"
    status, outcome = _ENDED[row.status]
    began = min(row.date_started or row.date_created, row.date_done)
    failure = _failure(row) if row.status != "SUCCESS" else {}
    return whose, {
        "tenant_id": whose,
        "task_name": name if task is None else task.name,
        "queue_name": "celery" if task is None else task.queue_name,
        "priority": 5 if task is None else task.priority,
        "attempt": 1,
        "host": _text(row.worker).partition("@")[2] or _text(row.worker),
        "enqueued_at": min(row.date_created, began).isoformat(),
        "started_at": began.isoformat() if row.date_started else None,
        "finished_at": row.date_done.isoformat(),
        "status": status.value,
        "outcome": outcome.value,
        "result": _result(row) if row.status == "SUCCESS" else None,
        "error_class": failure.get("class", ""),
        "error_message": failure.get("message", ""),
        "traceback": _text(row.traceback),
    }


def _whose(task: Task | None, name: str, tenants_of: Tenants) -> int | None:
    found = tenants_of.of_name(name, [], {})
    return tenants.ALL if found is None and task is not None and task.tenant == "all" else found


def _enter(tenant_id: int, rows: Sequence[tuple[Any, dict[str, Any]]], done: Imported, *, dry_run: bool) -> None:
    with tenant_of(tenant_id), transaction.atomic(using=settings().database):
        calls = BridgeCall.objects.using(settings().database).filter(tenant_id=tenant_id)
        there = set(calls.filter(celery_id__in=[row.task_id for row, _ in rows]).values_list("celery_id", flat=True))
        new = [(row, attempt) for row, attempt in rows if row.task_id not in there]
        done.already += len(rows) - len(new)
        done.entered.update((attempt["task_name"], row.status) for row, attempt in new)
        if dry_run or not new:
            return
        ids = dict(queries.fetch("import_attempts", {"rows": json.dumps([attempt for _, attempt in new])}))
        # Two that import at once: the second one's is refused here, and its batch with it.
        calls.bulk_create(
            BridgeCall(
                tenant_id=tenant_id,
                celery_id=row.task_id,
                job_id=ids[n],
                task_name=attempt["task_name"],
                side="celery",
                at=row.date_done,
            )
            for n, (row, attempt) in enumerate(new)
        )


def _result(row: Any) -> Any:
    """As JSON; None for what is none."""
    if row.content_type != "application/json" or row.result is None:
        return None
    try:
        found = json.loads(row.result)
        payload.check(
            "A result of Celery's", found, max_bytes=settings().max_result_bytes, max_depth=settings().max_args_depth
        )
    except (ValueError, RecursionError, EnqueueError):
        return None
    return found


def _failure(row: Any) -> dict[str, str]:
    try:
        found = json.loads(row.result or "{}")
    except ValueError:
        return {}
    if not isinstance(found, dict):
        return {}
    kind, module, said = found.get("exc_type"), found.get("exc_module"), found.get("exc_message")
    words = ", ".join(map(str, said)) if isinstance(said, list | tuple) else str(said or "")
    return {
        "class": _text(f"{module}.{kind}" if module and module != "builtins" else str(kind or "")),
        "message": _text(words),
    }


def _text(given: Any) -> str:
    return payload.clean_text(str(given or ""), limit=_LONGEST_TEXT)
