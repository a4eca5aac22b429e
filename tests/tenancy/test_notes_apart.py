"""A checkpoint is written by the job's own tenant alone, and read by nobody else; how far a job is, operators see without its note."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from psycopg import errors

from tests.tenancy.attacks.ways import refused
from tests.tenancy.ground import A, B, House
from tests.tenancy.test_mutants import OWNER_SEES_ALL, parts_of, swap
from youtility_tasks import tenants
from youtility_tasks.errors import LeaseLost
from youtility_tasks.notes import Notes
from youtility_tasks.tenancy import roles

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


SCOPE_NOT_ASKED = swap("youtility_tasks_checkpoint_v1", "youtility_tasks_scope_v1(NULL)", "NULL")


@pytest.mark.parametrize(
    ("guards_gone", "holds"),
    [([SCOPE_NOT_ASKED], True), ([OWNER_SEES_ALL], True), ([SCOPE_NOT_ASKED, OWNER_SEES_ALL], False)],
    ids=["the function forgets to ask", "the policy lets its owner see all", "both"],
)
def test_another_tenants_checkpoint_is_guarded_twice(
    house: House, running: dict[int, tuple[int, int, int]], guards_gone: list[str], holds: bool
) -> None:
    for guard in guards_gone:
        for statement in parts_of(guard):
            house.rows(statement)
    with house.connect("task", A) as session:
        session.execute(WRITE, running[B])
        session.commit()

    assert (kept(house, running[B]) == [0]) is holds


def test_without_its_question_whoever_has_no_tenant_would_write_anybodys(
    house: House, running: dict[int, tuple[int, int, int]]
) -> None:
    house.rows(SCOPE_NOT_ASKED)
    with house.connect("task") as session:
        assert session.execute(WRITE, running[B]).fetchone() == (True,)


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


def test_a_sweep_keeps_its_place_from_inside_a_tenant_that_it_goes_through(
    house: House, django_db_blocker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ((worker,),) = house.rows("INSERT INTO procrastinate_workers DEFAULT VALUES RETURNING id")
    ((job_id,),) = house.rows(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, tenant_id, status, worker_id, claim_number)"
        " VALUES ('q', 'sweep', 0, 'doing', %s, 3) RETURNING id",
        worker,
    )
    its = Notes(job_id, worker, 3, tenant_id=0)
    with django_db_blocker.unblock(), house.settled():
        roles.act_as("task")
        with tenants.tenant(A):
            its.checkpoint(["site", 40])
            assert its.last_checkpoint() == ["site", 40]
            assert tenants.current_tenant() == A

            monkeypatch.setattr(Notes, "_own_tenant", lambda self: contextlib.nullcontext())
            assert its.last_checkpoint() is None
            with pytest.raises(LeaseLost):
                its.checkpoint(["site", 41])
