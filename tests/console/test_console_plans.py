"""The list of jobs beside many: by indexes, whoever looks."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.api.speaking import ACME, OTHER

BIG = ("youtility_tasks_history", "procrastinate_jobs")

pytestmark = pytest.mark.django_db


@pytest.fixture
def crowd(acme: int, other_tenant: int) -> None:
    """20,000 ended and as many waiting jobs, a twentieth of them Acme's; counted by upkeep, as beside a crowd they are."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO youtility_tasks_history (job_id, task_name, queue_name, tenant_id, priority, attempt, claim_number,"
            " enqueued_at, finished_at, status, outcome, is_final) SELECT n, 'task_' || n %% 50, 'email', CASE WHEN n %% 20 = 0"
            " THEN %s ELSE %s END, 5, 1, 1, now() - n * interval '1 s', now() - n * interval '1 s', 'succeeded', 'succeeded', true"
            " FROM generate_series(1, 20000) n",
            [ACME, OTHER],
        )
        cursor.execute(
            "INSERT INTO procrastinate_jobs (id, queue_name, task_name, tenant_id) SELECT 100000 + n, 'email', 'task_' || n %% 50,"
            " CASE WHEN n %% 20 = 0 THEN %s ELSE %s END FROM generate_series(1, 20000) n",
            [ACME, OTHER],
        )
        cursor.execute("ANALYZE youtility_tasks_history")
        cursor.execute("ANALYZE procrastinate_jobs")
        cursor.execute("SELECT youtility_tasks_count_queues_v1()")
        cursor.execute("UPDATE youtility_tasks_snapshotmark SET took_ms = 300")


def scans(plan: dict[str, Any]) -> list[str]:
    here = [plan["Relation Name"]] if plan["Node Type"] == "Seq Scan" else []
    return here + [each for inner in plan.get("Plans", ()) for each in scans(inner)]


def test_no_part_of_the_list_reads_a_whole_table(visitor, crowd: None) -> None:
    for who in ("viewer", "ops"):
        browser = visitor(who)
        for words in ("", "status=succeeded", "status=todo", "part=rail", "before=105000"):
            with CaptureQueriesContext(connection) as captured:
                assert browser.get(f"/tasks/jobs/?{words}").status_code == 200
            for each in captured.captured_queries:
                found = scans(plan_of(each["sql"]))
                assert not [name for name in found if name.startswith(BIG)], (who, words, each["sql"])


def plan_of(sql: str) -> dict[str, Any]:
    if not re.match(r"(--[^\n]*\n)*\s*(SELECT|WITH)\b", sql) or "set_config" in sql:
        return {"Node Type": "no query"}
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON) {sql.replace('%', '%%')}", [])
        (plan,) = cursor.fetchone()
    found: dict[str, Any] = (json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]
    return found
