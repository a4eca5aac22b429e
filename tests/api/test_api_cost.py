"""What lists cost: the same statements however many rows, and indexes where there are many."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.api.speaking import ACME, OTHER, Api
from youtility_tasks import Workflow, controls, dead_letters, schedules, tenant
from youtility_tasks.dead_letters import Letters
from youtility_tasks.models import Job

pytestmark = pytest.mark.django_db

MANY = 100_000


def statements(api: Api, path: str) -> list[str]:
    with CaptureQueriesContext(connection) as captured:
        assert api.get(path).status == 200
    return [each["sql"] for each in captured.captured_queries]


@pytest.mark.parametrize(
    "path",
    [
        "jobs/",
        "schedules/",
        "workflows/",
        "audit/",
        "limits/",
        "queues/",
        "members/",
        "holidays/",
        "metrics/series/",
        "dead-letters/",
        "dead-letters/groups/",
        "dead-letters/redrives/",
    ],
)
def test_a_list_sends_as_many_statements_for_many_rows_as_for_few(api, enqueue, add_task, acme, path):
    def more(first: int) -> None:
        for n in range(first, first + 6):
            enqueue(acme, add_task, number=n)
            with tenant(acme):
                schedules.create(f"s{n}", "add", cron="0 2 * * *")
                controls.limit(task="add", queue=["email", "reports", "maintenance"][n % 3], running=n + 1)
                flow = Workflow(f"w{n}")
                flow.step(add_task)
                flow.start()
                dead_letters.redrive(Letters(task_name=f"t{n}"))
        dead = Job.objects.order_by("-pk").filter(status="todo").values_list("pk", flat=True)[:3]
        Job.objects.filter(pk__in=list(dead)).update(
            status="failed", failed_at=timezone.now(), fingerprint=f"{first:016x}"
        )

    caller = api("admin")
    more(0)
    few = statements(caller, path)
    more(6)

    assert len(statements(caller, path)) == len(few) <= 16, few


@pytest.fixture
def crowd(acme: int, other_tenant: int) -> None:
    """So many ended and as many waiting jobs, a thousandth of them Acme's."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO youtility_tasks_history (job_id, task_name, queue_name, tenant_id, priority, attempt, claim_number,"
            " enqueued_at, finished_at, status, outcome, is_final)"
            " SELECT n, 'task_' || n %% 50, 'email', CASE WHEN n %% 1000 = 0 THEN %s ELSE %s END, 5, 1, 1,"
            " now() - n * interval '1 s', now() - n * interval '1 s', 'succeeded', 'succeeded', true FROM generate_series(1, %s) n",
            [ACME, OTHER, MANY],
        )
        cursor.execute("ANALYZE youtility_tasks_history")


def scans(plan: dict[str, Any]) -> list[tuple[str, str]]:
    here = [(plan["Node Type"], plan["Relation Name"])] if "Relation Name" in plan else []
    return here + [each for inner in plan.get("Plans", ()) for each in scans(inner)]


def test_a_page_among_many_ended_jobs_is_read_by_an_index(api, crowd):
    for who in ("viewer", "other_admin", "ops"):
        caller = api(who)
        first = caller.get("jobs/", limit=20)
        assert len(first["jobs"]) == 20 and first["next"]

        asked = statements(caller, f"jobs/?limit=20&cursor={first['next']}")
        asked += statements(caller, "jobs/?limit=20&task=task_7") + statements(caller, "jobs/?limit=20&search=77777")

        found = [each for sql in asked for each in scans(plan_of(sql))]
        assert [each for each in found if each[1].startswith("youtility_tasks_history")], found
        assert [
            each for each in found if each[0] == "Seq Scan" and each[1].startswith("youtility_tasks_history")
        ] == [], found


def plan_of(sql: str) -> dict[str, Any]:
    if "youtility_tasks_history" not in sql or not sql.startswith("SELECT"):
        return {}
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON) {sql.replace('%', '%%')}")
        (answer,) = cursor.fetchone()
    plan: dict[str, Any] = (json.loads(answer) if isinstance(answer, str) else answer)[0]["Plan"]
    return plan


def test_nothing_counts_a_whole_table(api, enqueue, add_task, acme):
    enqueue(acme, add_task)

    asked = statements(api("viewer"), "jobs/")

    assert not [sql for sql in asked if "count(" in sql.lower() or " OFFSET " in sql], asked
    assert Job.objects.count() == 1
