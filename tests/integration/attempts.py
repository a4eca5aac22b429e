"""Attempts that ended, as rows of the history, and where they have been added up; and the fold without one of its guards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.db import Error

from tests.integration.desk import execute, rows
from tests.integration.mutants import definition
from youtility_tasks import metrics, queries
from youtility_tasks.models import MetricsTotal, TaskPerformanceMetrics
from youtility_tasks.upkeep import rollup


def ended(
    n: int = 1,
    *,
    ago_s: float = 0,
    task_name: str = "add",
    queue_name: str = "email",
    tenant_id: int = 7,
    outcome: str = "succeeded",
    wait_ms: float | None = 10,
    run_ms: float | None = 20,
) -> None:
    """Attempts that ended so long ago, in a transaction of their own unless the caller has one."""
    status = "succeeded" if outcome == "succeeded" else "cancelled" if outcome == "cancelled" else "failed"
    execute(
        "INSERT INTO youtility_tasks_history (job_id, task_name, queue_name, tenant_id, priority, attempt, claim_number, enqueued_at,"
        " finished_at, status, outcome, is_final, wait_ms, run_ms)"
        " SELECT n, %s, %s, %s, 5, 1, 1, now(), clock_timestamp() - %s * interval '1 second', %s, %s, %s, %s, %s FROM generate_series(1, %s) n",
        task_name, queue_name, tenant_id, ago_s, status, outcome, outcome != "retry", wait_ms, run_ms, n,
    )  # fmt: skip


def in_minutes() -> int:
    return sum(TaskPerformanceMetrics.objects.filter(resolution_s=60).values_list("attempt_count", flat=True))


def in_hours() -> int:
    return sum(TaskPerformanceMetrics.objects.filter(resolution_s=3600).values_list("attempt_count", flat=True))


def in_totals() -> int:
    return sum(MetricsTotal.objects.values_list("attempt_count", flat=True))


def unnumbered() -> int:
    ((count,),) = rows("SELECT count(*) FROM youtility_tasks_history WHERE written_in IS NULL")
    return int(count)


def read(hours: float = 1, **more: Any) -> int:
    now = metrics.database_clock()
    return metrics.summary(since=now - timedelta(hours=hours), until=now + timedelta(minutes=1), **more)[
        0
    ].attempt_count


@contextmanager
def mutant(guard: str, instead: str, function: str = "youtility_tasks_fold_v1") -> Iterator[None]:
    """The function without its guard, for all sessions."""
    original = definition(function)
    assert guard in original, f"{function} has no {guard!r}"
    execute(original.replace(guard, instead).replace("%", "%%"))
    try:
        yield
    finally:
        execute(original.replace("%", "%%"))


def must_catch(check: Callable[[], None], guard: str, instead: str, function: str = "youtility_tasks_fold_v1") -> None:
    """`check` passes; and fails without the guard."""
    check()
    rollup.fold()
    execute(
        "TRUNCATE youtility_tasks_history, youtility_tasks_taskperformancemetrics, youtility_tasks_metricssum, youtility_tasks_metricstotal"
    )
    with mutant(guard, instead, function), pytest.raises((AssertionError, Error)):
        check()


def step(most: int) -> tuple[int, bool]:
    """One call, as a fold makes them until there is no more."""
    names = '{"tasks": [], "queues": [], "tenants": [], "most": 9, "minute_days": 9, "hour_days": 9}'
    ((added, is_all),) = queries.fetch("fold_metrics", {"most": most, "late_s": 86_400, "names": names})
    return added, is_all
