"""Policies change no plan of the worker's, and a tenant's own page does not walk everybody's queue."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tests.tenancy.ground import A, House
from youtility_tasks import queries

WAITING = 20_000


@pytest.fixture
def unruled(cluster: Any, template: str) -> Iterator[House]:
    """The same database without roles and policies."""
    made = House(cluster, cluster.copy(template))
    yield made
    made.pull_down()


def fill(house: House) -> None:
    house.rows("DELETE FROM procrastinate_jobs")
    house.rows(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, tenant_id, noted, lock, scheduled_at)"
        " SELECT 'email', 't', 7 + g %% 2, false, CASE WHEN g %% 5 = 0 THEN 7 + g %% 2 || ':' || g END,"
        "        CASE WHEN g %% 7 = 0 THEN now() END FROM generate_series(1, %s) g",
        WAITING,
    )
    house.rows("VACUUM ANALYZE procrastinate_jobs")
    for name, value in {
        "session_preload_libraries": "auto_explain",
        "auto_explain.log_min_duration": "0",
        "auto_explain.log_nested_statements": "on",
        "auto_explain.log_level": "notice",
    }.items():
        house.rows(f"ALTER DATABASE {house.name} SET {name} = '{value}'")


def ways(house: House, part: str | None) -> set[tuple[str, str]]:
    """How tables are read by a worker's claim, finish, renewal and rescue: (kind of scan, index or table)."""
    said: list[str] = []
    with psycopg.connect(house.conninfo(part), autocommit=True) as session:
        session.add_notice_handler(lambda notice: said.append(notice.message_primary or ""))

        def ask(name: str, **parameters: Any) -> list[Any]:
            return session.execute(queries.statement(name), parameters).fetchall()

        me = {"host": "h", "pid": 1, "supervisor_pid": None, "queue_name": "email", "slots": 4, "token": "", "dead": []}
        worker_id = ask("register_worker", **me, lease_s=10, max_rescues=3)[0][0]
        pump = {"worker_id": worker_id, "host": "h", "queue_name": "email"}
        claimed = ask("pump", **pump, ended=None, n=50)[1:]
        verdicts = ["succeeded", "retry", "failed", "crashed", "released"]
        ended = [
            {"id": row[1], "claim_number": row[6], "verdict": verdicts[n % 5], "outcome": "retry", "delay_s": 60}
            for n, row in enumerate(claimed)
        ]
        assert len(ask("pump", **pump, ended=json.dumps(ended), n=50)[0][0]) == 50
        ask("renew", worker_id=worker_id, held="[]", status="running", children="[]", memory_bytes=1)
        ask("rescue", lease_s=1000, max_rescues=3)
        ask("next_due", queue_name="email", worker_id=worker_id)
    found = [
        re.findall(r"((?:Index Only|Index|Seq|Bitmap Heap) Scan)(?: Backward)?(?: using (\S+))?", text) for text in said
    ]
    return [way for each in found for way in each]


def test_the_workers_statements_keep_their_plans(house: House, unruled: House) -> None:
    """One by one, nested ones too: `USING (true)` is gone before the planner looks, and hides no index from it."""
    if not house.rows("SELECT 1 FROM pg_available_extensions WHERE name = 'pg_stat_statements'"):
        pytest.skip("this PostgreSQL comes without its contrib modules, auto_explain among them")
    fill(house)
    fill(unruled)

    plain, ruled = ways(unruled, None), ways(house, "worker")

    assert ("Index Scan", "youtility_tasks_jobs_ready_free") in plain and (
        "Seq Scan",
        "procrastinate_jobs",
    ) not in plain
    assert ruled == plain


def pages(house: House, statement: str) -> int:
    with house.connect("web", A) as session:
        session.execute(statement)
        ((plan,),) = session.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}").fetchall()
    top = plan[0]["Plan"]
    return int(top["Shared Hit Blocks"] + top["Shared Read Blocks"])


def test_a_tenants_dead_letters_are_found_without_walking_the_queue(house: House) -> None:
    page = "SELECT id FROM procrastinate_jobs WHERE status = 'failed' ORDER BY id DESC LIMIT 50"
    few = pages(house, page)
    house.rows(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, tenant_id, noted) SELECT 'email', 't', 7, false FROM generate_series(1, %s)",
        WAITING,
    )
    house.rows("VACUUM ANALYZE procrastinate_jobs")
    assert pages(house, page) <= 2 * few
    house.rows("DROP INDEX youtility_tasks_jobs_dead_of_tenant")
    assert pages(house, page) > 4 * few
