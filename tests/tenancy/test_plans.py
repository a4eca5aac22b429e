"""Policies change no plan of the worker's, and a tenant's own page does not walk everybody's queue."""

from __future__ import annotations

import json
import re
from importlib import import_module
from typing import Any

import psycopg
import pytest

from tests.tenancy.ground import A, House
from youtility_tasks import queries
from youtility_tasks.migrations._sql import reworded

WAITING = 20_000
CHANGES = import_module("youtility_tasks.migrations.0023_order_under_policies").CHANGES


def fill(house: House, *, locks: bool = True) -> None:
    house.rows("DELETE FROM procrastinate_jobs")
    house.rows(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, tenant_id, noted, lock, scheduled_at)"
        " SELECT 'email', 't', 7 + g %% 2, false, CASE WHEN g %% 5 = 0 AND %s THEN 7 + g %% 2 || ':' || g END,"
        "        CASE WHEN g %% 7 = 0 AND %s THEN now() END FROM generate_series(1, %s) g",
        locks,
        locks,
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
        claimed = ask("pump", **pump, ended=None, n=50)[:-1]
        verdicts = ["succeeded", "retry", "failed", "crashed", "released"]
        ended = [
            {"id": row[3], "claim_number": row[8], "verdict": verdicts[n % 5], "outcome": "retry", "delay_s": 60}
            for n, row in enumerate(claimed)
        ]
        assert len(ask("pump", **pump, ended=json.dumps(ended), n=50)[-1][0]) == 50
        ask("renew", worker_id=worker_id, held="[]", status="running", children="[]", memory_bytes=1)
        ask("rescue", lease_s=1000, max_rescues=3)
        due = ask("next_due", queue_name="email", worker_id=worker_id)[0]
        polled, pumped = ask("poll", **pump, ended=None, n=0)[-1], ask("pump", **pump, ended=None, n=0)[-1]
        assert polled[: len(pumped)] == pumped
        assert polled[len(pumped) :] == (pytest.approx(due[0], abs=5), due[1])
    way = re.compile(r"((?:Index Only|Index|Seq|Bitmap Heap) Scan)(?: Backward)?(?: using| on) (\S+)")
    return {found for text in said for found in way.findall(text)}


BETTER = {("Index Scan", "idx_procrastinate_jobs_worker_not_null"), ("Index Scan", "youtility_tasks_jobs_worker")}
"""By the worker for its own jobs, where a superuser's planner, which knows that few run, takes any index of those."""


def test_the_workers_statements_keep_their_plans(house: House) -> None:
    """Nested ones too, beside a superuser, whom no policy binds.

    A policy keeps the planner from using what it knows of `status`, even `USING (true)`: what the worker sends must not
    depend on it.
    """
    if not house.rows("SELECT 1 FROM pg_available_extensions WHERE name = 'pg_stat_statements'"):
        pytest.skip("this PostgreSQL comes without its contrib modules, auto_explain among them")
    fill(house)
    ways(house, None)  # so that both look at a table in the same state of use

    plain, ruled = ways(house, None), ways(house, "worker")

    assert ("Index Scan", "youtility_tasks_jobs_ready_free") in plain
    assert ("Seq Scan", "procrastinate_jobs") not in ruled
    assert plain - ruled <= {("Index Scan", "procrastinate_jobs_lock_idx_v1")}
    assert ruled - plain <= BETTER
    house.rows("ALTER FUNCTION youtility_tasks_next_due_v1 SET enable_seqscan = on")
    assert ("Seq Scan", "procrastinate_jobs") in ways(house, "worker"), (
        "nothing else keeps it from reading the whole queue"
    )


def looks(house: House, part: str | None) -> int:
    """Pages that a worker's tenth claim of 50 jobs touches, with two tenants in turn."""
    house.rows("DELETE FROM procrastinate_workers")
    fill(house, locks=False)
    with psycopg.connect(house.conninfo(part), autocommit=True) as session:
        me = {"host": "h", "pid": 1, "supervisor_pid": None, "queue_name": "email", "slots": 4, "token": "", "dead": []}
        worker_id = session.execute(
            queries.statement("register_worker"), {**me, "lease_s": 10, "max_rescues": 3}
        ).fetchall()[0][0]
        pump = {"worker_id": worker_id, "host": "h", "queue_name": "email", "ended": None, "n": 50}
        for _ in range(9):
            session.execute(queries.statement("pump"), pump)
        ((plan,),) = psycopg.ClientCursor(session).execute(
            f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {queries.statement('pump')}", pump
        )
    top = plan[0]["Plan"]
    return int(top["Shared Hit Blocks"] + top["Shared Read Blocks"])


def test_claims_in_turn_read_no_more_for_a_policy(house: House) -> None:
    """Two tenants, 20,000 jobs of one priority. Under any policy `-priority = n` makes no part of an index's order constant."""
    plain = looks(house, None)
    assert looks(house, "worker") < 1.2 * plain

    ((was, becomes),) = CHANGES["youtility_tasks_ready_v1"]
    house.rows(reworded("youtility_tasks_ready_v2", [(becomes, was)]).replace("%", "%%"))
    assert looks(house, "worker") > 1.3 * plain


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
    house.rows("DROP INDEX youtility_tasks_jobs_dead_of_tenant, youtility_tasks_jobs_dead")
    assert pages(house, page) > 4 * few


def test_a_tenants_jobs_are_found_without_walking_those_of_others(house: House) -> None:
    """By an index that only who says `id >= 0` is given; see migration 0050."""
    fill(house)
    page = f"SELECT id FROM procrastinate_jobs WHERE tenant_id = {A} AND task_name = 'rare' AND id >= 0 ORDER BY id DESC LIMIT 50"
    house.rows("UPDATE procrastinate_jobs SET tenant_id = 8 WHERE id %% 100 > 0")
    house.rows("VACUUM (FULL, ANALYZE) procrastinate_jobs")
    few = pages(house, page)

    house.rows("DROP INDEX youtility_tasks_jobs_of_tenant")

    assert pages(house, page) > 2 * few
