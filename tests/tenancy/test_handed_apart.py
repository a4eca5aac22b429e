"""Jobs are handed to workers across the roles, and nobody learns by it of another tenant, or speaks in the server's name."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.acceptance.crew import Crew, until
from tests.tenancy.crews import crew_of
from tests.tenancy.ground import A, B, House, become

CHANNEL = "only the server knows"
HAND_OVER = "youtility_tasks_hand_over_v1"
KNOWN = "SELECT set_config('youtility_tasks.commits', '3', false)"
"""In a session that has enqueued before."""
INSERT = "INSERT INTO procrastinate_jobs (queue_name, task_name, args, noted) VALUES ('reports', 't', '{}', false) RETURNING id"


@dataclass
class Post:
    """A worker of the queue reports, with one slot, as the worker's role."""

    house: House
    session: psycopg.Connection[Any]
    worker_id: int

    def holds(self) -> list[int]:
        found = self.house.rows("SELECT id FROM procrastinate_jobs WHERE worker_id = %s ORDER BY id", self.worker_id)
        return [job_id for (job_id,) in found]

    def heard(self) -> list[str]:
        return [each.payload for each in self.session.notifies(timeout=0.3)]


@pytest.fixture
def post(house: House) -> Iterator[Post]:
    with house.connect("worker") as session:
        registered = session.execute(
            "SELECT worker_id FROM youtility_tasks_register_v2('h', 1, NULL, 'reports', 1, '', '{}', 10, 10)"
        ).fetchone()
        assert registered is not None
        session.execute("SELECT youtility_tasks_offer_v1(%s, 'reports', 1, %s, 60)", [registered[0], CHANNEL])
        yield Post(house, session, registered[0])


def enqueue(house: House, part: str, tenant: int) -> int:
    """In a transaction of that tenant."""
    with psycopg.connect(house.conninfo(part)) as connection:
        connection.execute(KNOWN)
        become(connection, house.token(tenant))
        ((job_id,),) = connection.execute(INSERT).fetchall()
    return int(job_id)


@pytest.mark.parametrize("part", ["web", "task"])
@pytest.mark.parametrize("tenant", [A, B])
def test_who_enqueues_for_a_tenant_hands_it_over(house: House, post: Post, part: str, tenant: int) -> None:
    job_id = enqueue(house, part, tenant)
    assert post.holds() == [job_id]
    (letter,) = post.heard()
    assert letter.startswith(f'[{post.worker_id}, {job_id}, "t", 0, {tenant}, 1, 0, null')


def test_the_token_may_be_over_when_the_transaction_commits(house: House, post: Post) -> None:
    with psycopg.connect(house.conninfo("web")) as connection:
        connection.execute(KNOWN)
        become(connection, house.token(A))
        ((job_id,),) = connection.execute(INSERT).fetchall()
        become(connection, house.token(A, life_s=-1))
    assert post.holds() == [job_id]


@contextlib.contextmanager
def without(house: House, guard: str, instead: str) -> Iterator[None]:
    ((original,),) = house.rows("SELECT pg_get_functiondef(%s::regproc)", HAND_OVER)
    assert guard in original
    house.rows(original.replace(guard, instead).replace("%", "%%"))
    yield


def goes_behind_what_another_tenant_waits_for(house: House, post: Post) -> bool:
    """Whether it does: it cannot see that job."""
    house.rows(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, args, noted, tenant_id) VALUES ('reports', 't', '{}', true, %s)",
        B,
    )
    enqueue(house, "web", A)
    return post.holds() == []


def test_what_another_tenant_waits_for_goes_first(house: House, post: Post) -> None:
    assert goes_behind_what_another_tenant_waits_for(house, post)


def test_without_its_guard_it_does_not(house: House, post: Post) -> None:
    with without(house, "PERFORM set_config('youtility_tasks.token', '', true), ", "PERFORM "):
        assert not goes_behind_what_another_tenant_waits_for(house, post)


@pytest.mark.parametrize("part", ["web", "task", "worker", "ops", "exporter"])
def test_nobody_can_ask_about_a_job_that_is_not_his(shared_house: House, part: str) -> None:
    with shared_house.connect(part) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(f"SELECT {HAND_OVER}(1, 'reports', true)")


def test_who_commits_need_have_no_right_to_anything(house: House, post: Post) -> None:
    """An application's function enqueues with its owner's rights. Before version 18 of the server, triggers run as whoever commits."""
    stranger = f"{house.prefix}stranger"
    house.rows(f'CREATE ROLE "{stranger}"')
    house.rows(
        "CREATE FUNCTION enqueues() RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path = public AS $$ "
        + INSERT
        + " $$"
    )
    house.rows(f'ALTER FUNCTION enqueues() OWNER TO "{house.migrator}"')
    house.rows(f'GRANT EXECUTE ON FUNCTION enqueues() TO "{stranger}"')
    house.rows(f'GRANT USAGE ON SCHEMA public TO "{stranger}"')
    try:
        with psycopg.connect(house.url) as connection:
            connection.execute(KNOWN)
            connection.execute(f'SET SESSION AUTHORIZATION "{stranger}"')
            ((job_id,),) = connection.execute("SELECT public.enqueues()").fetchall()
        assert post.holds() == [job_id]
    finally:
        house.rows(f'DROP OWNED BY "{stranger}"')
        house.rows(f'DROP ROLE "{stranger}"')


@pytest.mark.parametrize("part", ["web", "task", "ops", "exporter"])
@pytest.mark.parametrize(
    "statement",
    [
        "SELECT channel FROM youtility_tasks_offer",
        "INSERT INTO youtility_tasks_offer VALUES (1, 'reports', 1, 'mine', 1, 60)",
        "UPDATE youtility_tasks_offer SET channel = 'mine'",
        "DELETE FROM youtility_tasks_offer",
        "SELECT youtility_tasks_offer_v1(1, 'reports', 1, 'mine', 60)",
    ],
)
def test_nobody_but_workers_learns_where_jobs_are_handed_over(shared_house: House, part: str, statement: str) -> None:
    with shared_house.connect(part) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement)


@pytest.fixture
def crew(house: House, tmp_path: Path) -> Iterator[Crew]:
    house.rows("DELETE FROM procrastinate_jobs")
    made = crew_of(house, tmp_path)
    yield made
    made.close()


def test_a_real_worker_is_handed_jobs_and_tells_nobody_where(crew: Crew, house: House) -> None:
    crew.start(**house.settings)
    ((channel,),) = until(lambda: house.rows("SELECT channel FROM youtility_tasks_offer"), why="an offer")
    for part in ("web", "task", "ops", "exporter"):
        with house.connect(part) as connection:
            shown = connection.execute("SELECT coalesce(string_agg(query, ' '), '') FROM pg_stat_activity").fetchone()
            assert shown is not None
            assert channel not in shown[0]
    crew.next_heartbeat("running")
    crew.queue.rows(KNOWN)
    for tenant in (A, B):
        job_id = crew.queue.put("adds", tenant_id=tenant, a=1, b=2, _noted=False)
        assert crew.queue.ending(job_id)["status"] == "succeeded"
