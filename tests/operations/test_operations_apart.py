"""Under roles: a tenant's operation touches that tenant's rows alone, by the database; an operator's goes over all, without reading them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from psycopg.errors import InsufficientPrivilege

from tests.tenancy.attacks.ways import refused
from tests.tenancy.conftest import house, plot
from tests.tenancy.ground import A, B, House
from youtility_tasks import operations, queries, tenant
from youtility_tasks.errors import OperationNotFound, Refused
from youtility_tasks.listing import JobFilter
from youtility_tasks.operations import carrying
from youtility_tasks.tenancy import roles

__all__ = ["house", "plot"]

pytestmark = pytest.mark.usefixtures("django_db_setup")

TABLE, BATCHES = "youtility_tasks_taskoperation", "youtility_tasks_operationbatch"
INSERT = (
    f"INSERT INTO {TABLE} (tenant_id, act, filter, undoes_id, reason, started_by, newest_id, done_count, refused_count, refused, after_id,"
    " is_stopped) VALUES ({}, '{}', '{{}}', {}, '', '', 99, 0, 0, '[]', 0, false) RETURNING id"
)
CALL = "SELECT youtility_tasks_operation_batch_v1({}, (SELECT array_agg(n) FROM generate_series(1, 99) n), 'failed', true, {})"


def with_one_of_each(house: House) -> dict[int, int]:
    """An operation of each tenant, with a batch; tenant -> its id."""
    made = {whose: int(house.rows(INSERT.format(whose, "retry", "NULL"))[0][0]) for whose in (A, B)}
    for whose, operation in made.items():
        house.rows(
            f"INSERT INTO {BATCHES} (operation_id, tenant_id, job_ids, was) VALUES (%s, %s, '[1]', '[{{\"id\": 1}}]')",
            operation,
            whose,
        )
    return made


def attack(house: House, made: dict[int, int], part: str) -> None:
    """What A tries on B's operation; raises AssertionError where it gets through."""
    with house.connect(part, A) as session:
        for table in (TABLE, BATCHES):
            assert session.execute(f"SELECT DISTINCT tenant_id FROM {table}").fetchall() == [(A,)]
        assert session.execute(f"UPDATE {TABLE} SET after_id = 9 WHERE tenant_id = {B}").rowcount == 0
        for statement in (
            f"SELECT was FROM {BATCHES}",
            f"INSERT INTO {BATCHES} (operation_id, tenant_id, job_ids) VALUES ({made[A]}, {A}, '[]')",
            f"DELETE FROM {TABLE}",
            INSERT.format(B, "retry", "NULL"),
            INSERT.format("NULL", "retry", "NULL"),
            CALL.format(made[B], B),
            CALL.format(made[B], A),
            f"SELECT * FROM youtility_tasks_prioritize_v1('{{1}}', 9, {B})",
            f"SELECT * FROM youtility_tasks_run_now_v1('{{1}}', now(), 0, {B})",
        ):
            with refused(session):
                session.execute(statement)
        ((others_batch,),) = house.rows(f"SELECT id FROM {BATCHES} WHERE tenant_id = {B}")
        if part == "web":
            with refused(session):
                session.execute(CALL.format(made[A], A))
            with refused(session):
                session.execute(f"SELECT * FROM youtility_tasks_operation_undo_v1({others_batch}, {A})")
        else:
            held = session.execute(CALL.format(made[A], A)).fetchone()
            theirs = house.rows(
                f"SELECT array_agg(id) FROM procrastinate_jobs WHERE status = 'failed' AND tenant_id = {A}"
            )
            assert held == theirs[0], "no job of another"
            assert (
                session.execute(f"SELECT * FROM youtility_tasks_operation_undo_v1({others_batch}, {A})").fetchall()
                == []
            )


@pytest.mark.parametrize("part", ["web", "task"])
def test_a_tenant_has_its_own_operations_alone(house: House, part: str) -> None:
    attack(house, with_one_of_each(house), part)


MUTANTS = (
    f"ALTER POLICY yt_own ON {TABLE} USING (true)",
    f"ALTER POLICY yt_own ON {BATCHES} USING (true)",
    f"ALTER TABLE {TABLE} DISABLE ROW LEVEL SECURITY",
    f"GRANT SELECT (was) ON {BATCHES} TO {{}}",
    f"GRANT INSERT ON {BATCHES} TO {{}}; ALTER POLICY yt_own ON {BATCHES} USING (true)",
)


@pytest.mark.parametrize("mutant", MUTANTS)
def test_without_a_guard_it_gets_through(house: House, mutant: str) -> None:
    made = with_one_of_each(house)
    house.rows(mutant.format(house.group("task")))
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        attack(house, made, "task")


def test_an_undo_can_only_be_of_ones_own(house: House) -> None:
    made = with_one_of_each(house)
    with house.connect("web", A) as session, pytest.raises(Exception, match="yt_operation_undoes_own"):
        session.execute(INSERT.format(A, "undo", made[B]))


def test_who_has_begun_many_keeps_nobody_elses_waiting(house: House) -> None:
    for _ in range(30):
        house.rows(INSERT.format(A, "retry", "NULL"))
    ((last,),) = house.rows(INSERT.format(B, "retry", "NULL"))
    with house.connect("worker") as session:
        found = session.execute(queries.statement("unfinished_operations"), {"but_not": [], "most": 2}).fetchall()
    assert (last, B) in found and len(found) == 2


@pytest.fixture
def inside(house: House, django_db_blocker: Any) -> Iterator[Callable[[str], None]]:
    """`inside("task")`: this process is a task from now on."""
    with django_db_blocker.unblock(), house.settled():
        yield roles.act_as


def test_what_the_web_begins_a_task_carries_out_for_its_tenant(house: House, inside: Callable[[str], None]) -> None:
    inside("web")
    with tenant(A):
        row = operations.begin("discard", JobFilter(), reason="so")
    inside("task")
    assert carrying.carry_on(row.pk, A) is True
    assert house.rows("SELECT tenant_id, status::text FROM procrastinate_jobs ORDER BY 1, 2") == [
        (A, "todo"), (B, "failed"), (B, "todo"),
    ]  # fmt: skip
    inside("web")
    with tenant(A):
        assert operations.get(row.pk).done_count == 1
        undo = operations.undo(row.pk)
    with tenant(B), pytest.raises(OperationNotFound):
        operations.get(row.pk)
    inside("task")
    assert carrying.carry_on(undo.pk, A) is True
    ((args,),) = house.rows(f"SELECT args FROM procrastinate_jobs WHERE tenant_id = {A} AND status = 'failed'")
    assert args == {"secret": "of Acme"}


def test_an_operators_operation_is_carried_out_as_one_and_entered(house: House, inside: Callable[[str], None]) -> None:
    inside("ops")
    row = operations.begin("priority", JobFilter(), priority=1, reason="all of it")
    with pytest.raises(Refused, match="reads no arguments"):
        operations.preview("cancel", JobFilter(args={"secret": "of Acme"}))
    inside("task")
    assert carrying.carry_on(row.pk, None) is True
    assert house.rows("SELECT tenant_id, priority FROM procrastinate_jobs WHERE status = 'todo' ORDER BY 1") == [
        (A, 10),
        (B, 10),
    ]
    acts = house.rows(
        "SELECT act, tenant_id FROM youtility_tasks_taskauditlog WHERE act LIKE '%%operation' ORDER BY id"
    )
    assert acts == [("begin operation", None), ("end operation", None)]


def test_a_batch_of_another_transaction_is_no_entry(house: House) -> None:
    """The guard takes a batch for an entry only in the transaction that wrote it."""
    ((row,),) = house.rows(INSERT.format("NULL", "retry", "NULL"))
    with house.connect("ops") as session:
        with session.transaction():
            session.execute(CALL.format(row, "NULL"))
            session.execute(
                "SELECT * FROM youtility_tasks_prioritize_v1((SELECT array_agg(id) FROM procrastinate_jobs), 9, NULL)"
            )
        with pytest.raises(InsufficientPrivilege, match="not entered"), session.transaction():
            session.execute(
                "SELECT * FROM youtility_tasks_prioritize_v1((SELECT array_agg(id) FROM procrastinate_jobs), 8, NULL)"
            )
