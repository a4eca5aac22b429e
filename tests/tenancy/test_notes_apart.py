"""A checkpoint is written by the job's own tenant alone, and read by nobody else; how far a job is, operators see without its note."""

from __future__ import annotations

import pytest
from psycopg import errors

from tests.tenancy.attacks.ways import refused
from tests.tenancy.ground import A, B, House

WRITE = "SELECT youtility_tasks_checkpoint_v1(%s, %s, %s, '[1]')"


@pytest.fixture
def running(house: House) -> dict[int, tuple[int, int, int]]:
    """A running job of each tenant: id, worker id, claim number."""
    ((worker,),) = house.rows("INSERT INTO procrastinate_workers DEFAULT VALUES RETURNING id")
    return {
        who: house.rows(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, tenant_id, status, worker_id, claim_number, checkpoint, progress, progress_note)"
            " VALUES ('q', 't', %s, 'doing', %s, 3, '[0]', '{\"done\": 1}', 'Bolt') RETURNING id, worker_id, claim_number",
            who,
            worker,
        )[0]
        for who in (A, B)
    }


def kept(house: House, job: tuple[int, int, int]) -> list[int]:
    found: list[int] = house.rows("SELECT checkpoint FROM procrastinate_jobs WHERE id = %s", job[0])[0][0]
    return found


def test_a_task_writes_its_own_tenants_and_no_other(house: House, running: dict[int, tuple[int, int, int]]) -> None:
    with house.connect("task", A) as session:
        assert session.execute(WRITE, running[A]).fetchone() == (True,)
        assert session.execute(WRITE, running[B]).fetchone() == (False,)
        session.commit()

    assert (kept(house, running[A]), kept(house, running[B])) == ([1], [0])


def test_without_a_tenant_and_in_the_web_nobody_writes_any(
    house: House, running: dict[int, tuple[int, int, int]]
) -> None:
    with house.connect("task") as session, pytest.raises(errors.InsufficientPrivilege, match="no tenant is set"):
        session.execute(WRITE, running[A])
    with house.connect("web", A) as session, refused(session, errors.InsufficientPrivilege):
        session.execute(WRITE, running[A])
    with house.connect("task", A) as session, refused(session, errors.InsufficientPrivilege):
        session.execute("UPDATE procrastinate_jobs SET checkpoint = '[2]'")


@pytest.mark.parametrize("part", ["web", "task"])
def test_each_reads_its_own(house: House, running: dict[int, tuple[int, int, int]], part: str) -> None:
    with house.connect(part, A) as session:
        found = session.execute(
            "SELECT id, checkpoint, progress_note FROM procrastinate_jobs WHERE checkpoint IS NOT NULL"
        ).fetchall()

    assert found == [(running[A][0], [0], "Bolt")]


def test_an_operator_sees_how_far_a_job_is_and_nothing_that_is_the_tenants(
    house: House, running: dict[int, tuple[int, int, int]]
) -> None:
    with house.connect("ops") as session:
        assert (
            session.execute("SELECT progress FROM procrastinate_jobs WHERE progress IS NOT NULL").fetchall()
            == [({"done": 1},)] * 2
        )
        for column in ("checkpoint", "progress_note"):
            with pytest.raises(errors.InsufficientPrivilege):
                session.execute(f"SELECT {column} FROM procrastinate_jobs")
