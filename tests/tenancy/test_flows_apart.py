"""Workflows of two tenants as the parts connect: each reads and moves its own, and steps are released whoever ends a job."""

from __future__ import annotations

import json

import pytest
from psycopg import errors

from tests.tenancy.attacks.ways import refused
from tests.tenancy.ground import ENTRY, A, B, House
from youtility_tasks import queries

TABLES = ("taskworkflow", "workflowstep", "taskdependency", "workflowsignal", "workflowtemplate")
START = "SELECT workflow_id FROM youtility_tasks_flow_start_v1(%s::jsonb, %s, false)"


def definition() -> str:
    step = {
        "run": 0,
        "kind": "task",
        "needs_all": True,
        "task_name": "nobody",
        "queue_name": "flows",
        "priority": 5,
        "args": {"word": "Bolt"},
    }
    return json.dumps(
        {
            "runs": [{"name": "apart", "step_count": 3}],
            "context": {"word": "Bolt"},
            "steps": [
                {**step, "name": "a", "edge_count": 0},
                {**step, "name": "b", "edge_count": 2},
                {"run": 0, "name": "yes", "kind": "signal", "needs_all": True, "edge_count": 0},
            ],
            "edges": [{"run": 0, "parent": parent, "child": "b", "kind": "success"} for parent in ("a", "yes")],
        }
    )


def begin(house: House, tenant: int, part: str = "web") -> int:
    with house.connect(part, tenant) as session:
        row = session.execute(START, [definition(), tenant]).fetchone()
        session.commit()
    assert row is not None
    return int(row[0])


@pytest.fixture
def runs(house: House) -> dict[int, int]:
    """A run of each tenant."""
    return {tenant: begin(house, tenant) for tenant in (A, B)}


def steps(house: House, run: int) -> dict[str, str]:
    return dict(house.rows("SELECT name, status FROM youtility_tasks_workflowstep WHERE workflow_id = %s", run))


@pytest.mark.parametrize("part", ["web", "task"])
def test_each_reads_its_own_and_nobody_nothing(house: House, runs: dict[int, int], part: str) -> None:
    house.rows("INSERT INTO youtility_tasks_workflowsignal (tenant_id, workflow_id, name) VALUES (8, %s, 'x')", runs[B])
    house.rows(
        "INSERT INTO youtility_tasks_workflowtemplate (tenant_id, name, version, definition) VALUES (8, 't', 1, '{}'), (0, 'all', 1, '{}')"
    )
    with house.connect(part, A) as session:
        for table in TABLES:
            found = session.execute(f"SELECT DISTINCT tenant_id FROM youtility_tasks_{table}").fetchall()
            assert set(found) <= {(A,), (0,)}, table
        assert session.execute("SELECT count(*) FROM youtility_tasks_workflowstep").fetchone() == (3,)
    with house.connect(part) as session:
        for table in TABLES[:-1]:
            assert session.execute(f"SELECT count(*) FROM youtility_tasks_{table}").fetchone() == (0,), table


@pytest.mark.parametrize("part", ["web", "task"])
def test_nobody_moves_anothers_run(house: House, runs: dict[int, int], part: str) -> None:
    with house.connect(part, A) as session:
        for call, answer in (
            ("youtility_tasks_flow_cancel_v1({b}, '', {own})", []),
            ("youtility_tasks_flow_retry_v1({b}, 'all', {own})", []),
            ("youtility_tasks_flow_signal_v1({b}, 'yes', NULL, '', {own})", [(None,)]),
        ):
            for own in ("NULL", str(A)):
                assert session.execute(f"SELECT * FROM {call.format(b=runs[B], own=own)}").fetchall() == answer
            with refused(session):
                session.execute(f"SELECT * FROM {call.format(b=runs[B], own=B)}")
        with refused(session):
            session.execute(START, [definition(), B])
    assert steps(house, runs[B]) == {"a": "todo", "b": "blocked", "yes": "todo"}


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO youtility_tasks_workflowstep (tenant_id, workflow_id, name, kind, status) VALUES (7, 1, 'x', 'task', 'blocked')",
        "UPDATE youtility_tasks_workflowstep SET status = 'succeeded'",
        "DELETE FROM youtility_tasks_taskworkflow",
        "SELECT FROM youtility_tasks_taskworkflow FOR UPDATE",
        "INSERT INTO youtility_tasks_workflowsignal (tenant_id, workflow_id, name) VALUES (7, 1, 'x')",
        "INSERT INTO youtility_tasks_workflowtemplate (tenant_id, name, version, definition) VALUES (0, 'x', 1, '{}')",
        "INSERT INTO youtility_tasks_workflowtemplate (tenant_id, name, version, definition) VALUES (8, 'x', 1, '{}')",
        "INSERT INTO procrastinate_jobs (queue_name, task_name, tenant_id, step_id) VALUES ('q', 't', 7, 1)",
        "SELECT youtility_tasks_flow_advance_v1('{1}')",
        "SELECT youtility_tasks_flow_release_v1('{1}')",
        "SELECT youtility_tasks_flow_jobs_ended_v1('{1}', now())",
        "SELECT youtility_tasks_flow_stop_v1(1, '', false)",
        "SELECT youtility_tasks_flow_settle_v1(1)",
        "SELECT youtility_tasks_flows_sweep_v1(1)",
        "SELECT youtility_tasks_flows_prune_v1(now(), 1)",
    ],
)
@pytest.mark.parametrize("part", ["web", "task"])
def test_steps_are_moved_by_the_houses_functions_alone(shared_house: House, statement: str, part: str) -> None:
    with shared_house.connect(part, A) as session, refused(session, errors.InsufficientPrivilege):
        session.execute(statement)


def test_a_forged_note_ends_nobodys_step(house: House, runs: dict[int, int]) -> None:
    ((theirs,),) = house.rows(
        "SELECT job_id FROM youtility_tasks_workflowstep WHERE workflow_id = %s AND name = 'a'", runs[B]
    )
    second = begin(house, A)
    ((own,),) = house.rows(
        "SELECT job_id FROM youtility_tasks_workflowstep WHERE workflow_id = %s AND name = 'a'", runs[A]
    )
    ((live,),) = house.rows(
        "SELECT job_id FROM youtility_tasks_workflowstep WHERE workflow_id = %s AND name = 'a'", second
    )
    with house.connect("web", A) as session:
        session.execute(ENTRY.format(A))
        session.execute("SELECT set_config('youtility_tasks.ended_jobs', %s, true)", [f"{theirs},{live}"])
        assert (
            len(session.execute("SELECT * FROM youtility_tasks_cancel_v1(%s, 'todo', '', NULL)", [[own]]).fetchall())
            == 1
        )
        session.commit()

    assert steps(house, runs[A])["a"] == "cancelled"
    assert steps(house, second)["a"] == "todo"
    assert steps(house, runs[B])["a"] == "todo"


def test_a_worker_that_may_insert_no_job_releases_steps_of_all_tenants(house: House, runs: dict[int, int]) -> None:
    for tenant, run in runs.items():
        with house.connect("web", tenant) as session:
            session.execute(ENTRY.format(tenant))
            assert session.execute(
                "SELECT youtility_tasks_flow_signal_v1(%s, 'yes', '1', 'ann', NULL)", [run]
            ).fetchone() == ("sent",)
            session.commit()
        assert steps(house, run) == {"a": "todo", "b": "blocked", "yes": "succeeded"}
    with house.connect("worker") as session:
        me = {
            "host": "w",
            "pid": 1,
            "supervisor_pid": None,
            "queue_name": "flows",
            "slots": 4,
            "token": "",
            "dead": [],
            "lease_s": 10,
            "max_rescues": 9,
        }
        row = session.execute(queries.statement("register_worker"), me).fetchone()
        assert row is not None
        pump = {"worker_id": row[0], "host": "w", "queue_name": "flows"}
        claimed = session.execute(queries.statement("pump"), {**pump, "ended": None, "n": 10}).fetchall()[:-1]
        ends = [
            {"id": each[3], "claim_number": each[8], "verdict": "succeeded", "outcome": "succeeded", "delay_s": 0}
            for each in claimed
        ]
        assert len(ends) == 2
        session.execute(queries.statement("pump"), {**pump, "ended": json.dumps(ends), "n": 0})
        assert session.execute("SELECT untold, unreleased FROM youtility_tasks_flows_sweep_v1(10)").fetchone() == (0, 0)
        with refused(session):
            session.execute("INSERT INTO procrastinate_jobs (queue_name, task_name) VALUES ('flows', 't')")

    for run in runs.values():
        assert steps(house, run) == {"a": "succeeded", "b": "todo", "yes": "succeeded"}


def test_an_operator_sees_runs_of_all_without_what_they_hold(house: House, runs: dict[int, int]) -> None:
    with house.connect("ops") as session:
        assert session.execute(
            "SELECT count(*) FROM youtility_tasks_taskworkflow WHERE status = 'running'"
        ).fetchone() == (2,)
        for column, table in (
            ("context", "taskworkflow"),
            ("args", "workflowstep"),
            ("result", "workflowstep"),
            ("payload", "workflowsignal"),
        ):
            with refused(session):
                session.execute(f"SELECT {column} FROM youtility_tasks_{table}")
        with session.transaction():
            session.execute(ENTRY.format(B))
            assert session.execute(
                "SELECT status FROM youtility_tasks_flow_cancel_v1(%s, 'ops', NULL)", [runs[B]]
            ).fetchone() == ("running",)
    assert steps(house, runs[B])["a"] == "cancelled"
