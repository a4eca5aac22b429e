"""Sums over tenants and tasks say what minutes and hours say, are read in their place, and are made of what was added up before."""

from __future__ import annotations

from datetime import timedelta
from importlib import resources
from typing import Any

import pytest

from tests.integration.desk import execute, rows
from tests.integration.test_reading_numbers import some_days
from youtility_tasks import metrics
from youtility_tasks.upkeep import rollup

pytestmark = pytest.mark.usefixtures("committed")

SUMS = (
    "SELECT tenant_id, level, resolution_s, begins_at, queue_name, task_name, outcome, attempt_count, retried_count, dead_letter_count,"
    " wait_count, round(wait_sum_ms::numeric, 3), wait_buckets, wait_counts, run_count, round(run_sum_ms::numeric, 3), run_min_ms, run_max_ms,"
    " run_buckets, run_counts FROM youtility_tasks_metricssum ORDER BY 1, 2, 3, 4, 5, 6, 7"
)


def asked(**more: Any) -> list[Any]:
    now = metrics.database_clock()
    return [
        (each.counts, each.wait_p95_ms, each.run_max_ms)
        for each in metrics.summary(since=now - timedelta(days=3), until=now + timedelta(hours=1), **more)
    ]


def test_what_is_asked_of_all_tenants_is_read_from_sums_alone() -> None:
    some_days(5)
    rollup.fold()
    before = [asked(), asked(by="queue"), asked(by="task"), asked(queue_name="email"), asked(task_name="told")]
    assert sum(before[0][0][0].values()) > 200

    execute("DELETE FROM youtility_tasks_taskperformancemetrics")

    assert [asked(), asked(by="queue"), asked(by="task"), asked(queue_name="email"), asked(task_name="told")] == before


def test_whole_hours_of_a_tenant_are_read_from_its_sums_and_its_tasks_are_not() -> None:
    some_days(6)
    rollup.fold()
    seven, by_task = asked(tenant_id=7), asked(tenant_id=7, by="task")

    execute("DELETE FROM youtility_tasks_metricssum WHERE tenant_id <> 7")
    assert asked(tenant_id=7) == seven
    execute("DELETE FROM youtility_tasks_metricssum")
    assert asked(tenant_id=7) != seven and asked(tenant_id=7, by="task") == by_task


def test_the_migration_makes_the_sums_of_what_was_added_up_before() -> None:
    some_days(7)
    rollup.fold()
    folded = rows(SUMS)
    execute("TRUNCATE youtility_tasks_metricssum")
    text = resources.files("youtility_tasks.migrations").joinpath("sql", "0040_sums.sql").read_text(encoding="utf-8")

    execute("BEGIN;" + text[text.index("LOCK TABLE") :].replace("%", "%%") + "COMMIT;")

    assert len(folded) > 100 and rows(SUMS) == folded


def test_old_sums_go_with_the_minutes_they_are_made_of() -> None:
    some_days(8)
    rollup.fold()
    execute("UPDATE youtility_tasks_metricssum SET begins_at = begins_at - interval '500 days'")

    rollup.prune(metrics.database_clock(), dry_run=True)
    assert len(rows(SUMS)) > 100
    rollup.prune(metrics.database_clock(), dry_run=False)

    assert rows(SUMS) == []
