"""Dead letters and redrives of one tenant are nobody else's; an operator redrives without reading what they say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connections
from django.db.models import Count, Max

from tests.conftest import declaring
from tests.tenancy.attacks.ways import refused
from tests.tenancy.ground import A, B, House
from youtility_tasks import Secret, dead_letters, metrics, tenant
from youtility_tasks.dead_letters import Letters
from youtility_tasks.errors import JobNotFound, RedriveNotFound, Refused
from youtility_tasks.tenancy import roles
from youtility_tasks.upkeep import prune

pytestmark = pytest.mark.usefixtures("django_db_setup", "unblocked")


@pytest.fixture
def unblocked(django_db_blocker: Any) -> Iterator[None]:
    with django_db_blocker.unblock():
        yield


def call_home(*, secret: str = "", token: Secret[str] = "") -> None:
    return None


@pytest.fixture
def t() -> Iterator[None]:
    """The task of the house's dead letters, one of each tenant."""
    with declaring() as declare:
        declare(call_home, name="t")
        yield


def redrives(house: House) -> None:
    """One of each tenant."""
    for tenant_id in (A, B):
        house.rows(
            "INSERT INTO youtility_tasks_redrive (tenant_id, task_name, queue_name, fingerprint, failed_until, edits, edited, key, reason,"
            " started_by, total_count, done_count, refused_count, refused, after_id, is_stopped)"
            " VALUES (%s, 't', '', '', now(), '{\"secret\": \"Bolt\"}', '[\"secret\"]', 'k', '', 'x', 1, 0, 0, '[]', 0, false)",
            tenant_id,
        )


def attack(house: House, part: str) -> None:
    table = "youtility_tasks_redrive"
    with house.connect(part, A) as session:
        assert session.execute(f"SELECT DISTINCT tenant_id FROM {table}").fetchall() == [(A,)]
        assert session.execute(f"UPDATE {table} SET done_count = 9 WHERE tenant_id = {B}").rowcount == 0
        with refused(session):
            session.execute(f"UPDATE {table} SET tenant_id = {B}")
        with refused(session):
            session.execute(f"DELETE FROM {table}")
        with refused(session):
            session.execute(f"INSERT INTO {table} (id, tenant_id) VALUES (1, {A})")
        for whose in (B, "NULL"):
            with refused(session):
                session.execute(
                    f"INSERT INTO {table} (tenant_id, task_name, queue_name, fingerprint, failed_until, edits, edited, key, reason,"
                    " started_by, total_count, done_count, refused_count, refused, after_id, is_stopped)"
                    f" VALUES ({whose}, '', '', '', now(), '{{}}', '[]', 'z', '', 'x', 1, 0, 0, '[]', 0, false)"
                )


@pytest.mark.parametrize("part", ["web", "task"])
def test_a_tenant_sees_and_changes_its_own_redrives_alone(house: House, part: str) -> None:
    redrives(house)
    attack(house, part)


def test_without_its_policy_an_attack_gets_through(house: House) -> None:
    redrives(house)
    house.rows("ALTER POLICY yt_own ON youtility_tasks_redrive USING (true) WITH CHECK (true)")
    with pytest.raises(AssertionError):
        attack(house, "web")


def test_an_operator_does_not_read_the_new_arguments(house: House) -> None:
    redrives(house)
    with house.connect("ops") as session:
        session.autocommit = False
        assert len(session.execute("SELECT id, edited, done_count FROM youtility_tasks_redrive").fetchall()) == 2
        with refused(session):
            session.execute("SELECT edits FROM youtility_tasks_redrive")
    with house.connect("worker") as session:
        session.autocommit = False
        with refused(session):
            session.execute("SELECT * FROM youtility_tasks_redrive")


@pytest.mark.parametrize("part", ["worker", "ops"])
def test_workers_and_operators_remove_what_is_past_its_retention_of_every_tenant(house: House, part: str) -> None:
    redrives(house)
    house.rows("UPDATE youtility_tasks_redrive SET ended_at = now() - interval '400 days' WHERE tenant_id = %s", A)
    with house.settled():
        roles.act_as(part)
        now = metrics.database_clock()
        assert prune.would_remove(now).redrives == 1
        assert prune.remove_old(now).redrives == 1
    assert house.rows("SELECT tenant_id FROM youtility_tasks_redrive") == [(B,)]


def dead(house: House) -> dict[int, int]:
    """The dead letter of each tenant."""
    return dict(house.rows("SELECT tenant_id, id FROM procrastinate_jobs WHERE status = 'failed'"))


def status(house: House, job_id: int) -> tuple[Any, ...]:
    return house.rows("SELECT status::text, args FROM procrastinate_jobs WHERE id = %s", job_id)[0]


@pytest.mark.usefixtures("t")
def test_a_tenant_lists_redrives_and_discards_its_own(house: House) -> None:
    letters = dead(house)
    with house.settled():
        roles.act_as("web")
        with tenant(A):
            assert [each.count for each in dead_letters.groups(Letters())] == [1]
            done = dead_letters.redrive(Letters(task_name="t"), changes={"secret": "new", "token": "x"}, rate_per_s=5)
            assert (done.done_count, done.refused_count, done.total_count) == (1, 0, 1)
            with pytest.raises(JobNotFound):
                dead_letters.retry(letters[B], {"secret": "mine"})
            assert dead_letters.discard(Letters(), "so").done == []
        with tenant(B):
            assert dead_letters.listing() == []
            with pytest.raises(RedriveNotFound):
                dead_letters.go_on(done.pk)
        connections["default"].close()

    moved, args = status(house, letters[A])
    assert (moved, args["secret"], set(args["token"])) == ("todo", "new", {"$sealed", "key", "value"})
    assert status(house, letters[B]) == ("failed", {"secret": "of Bolt"})


@pytest.mark.usefixtures("t")
def test_an_operator_redrives_for_all_and_changes_no_arguments(house: House) -> None:
    letters = dead(house)
    with house.settled():
        with roles.acting("ops"):
            (group,) = dead_letters.groups(Letters())
            assert (group.count, group.tenant_count, group.error_message) == (2, 2, "")
            for act in (
                lambda: dead_letters.redrive(Letters(task_name="t"), changes={"secret": "x"}),
                lambda: dead_letters.retry(letters[A], {"secret": "x"}),
            ):
                with pytest.raises(Refused, match="reads no arguments"):
                    act()
            done = dead_letters.redrive(Letters(), reason="all is well")
            assert (done.done_count, done.tenant_id, done.ended_at is not None) == (2, None, True)
            assert [each.pk for each in dead_letters.listing()] == [done.pk]
        connections["default"].close()
    assert [status(house, each)[0] for each in letters.values()] == ["todo", "todo"]
    entered = house.rows(
        "SELECT tenant_id, after -> 'jobs' FROM youtility_tasks_taskauditlog WHERE act = 'redrive' ORDER BY id"
    )
    assert entered == [(None, None), (A, [letters[A]]), (B, [letters[B]])]


def test_a_worker_names_the_error_of_what_it_gives_up(house: House) -> None:
    """With the rights that it has, and before set-up has granted it more than the migration does."""
    ((job_id,),) = house.rows("SELECT id FROM procrastinate_jobs WHERE status = 'todo' AND tenant_id = %s", A)
    ((worker_id,),) = house.rows("INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now()) RETURNING id")
    house.rows("UPDATE procrastinate_jobs SET status = 'doing', worker_id = %s WHERE id = %s", worker_id, job_id)
    ended = f'[{{"id": {job_id}, "claim_number": 0, "verdict": "failed", "outcome": "failed", "error_class": "E", "delay_s": 0}}]'
    with house.connect("worker") as session:
        assert session.execute("SELECT youtility_tasks_finish_v2(%s, 'h', %s)", [worker_id, ended]).fetchone() == (
            [job_id],
        )
    ((found,),) = house.rows("SELECT fingerprint FROM procrastinate_jobs WHERE id = %s", job_id)
    assert len(found) == 16


def test_a_tenants_groups_and_batches_are_read_by_index_under_the_policies(house: House) -> None:
    """A condition on `status` alone is no way into an index for whom a policy binds, and the queue is long."""
    for status, n in (("todo", 20_000), ("failed", 2_000)):
        house.rows(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, tenant_id, noted, status, failed_at, fingerprint)"
            " SELECT 'email', 't', 7 + g %% 2, false, %s::text::procrastinate_job_status, now(), left(md5((g %% 9)::text), 16)"
            " FROM generate_series(1, %s) g",
            status,
            n,
        )
    house.rows("VACUUM ANALYZE procrastinate_jobs")
    with house.settled():
        roles.act_as("web")
        with tenant(A):
            found = Letters().find(A)
            grouped = found.values("task_name", "fingerprint").annotate(n=Count("pk"), last=Max("failed_at"))
            plans = [
                grouped.explain(),
                Letters(fingerprint="45c48cce2e2d7fbd").find(A).filter(pk__gt=1).order_by("pk")[:500].explain(),
            ]
        connections["default"].close()

    assert "youtility_tasks_jobs_dead_groups" in plans[0]
    for plan in plans:
        assert "youtility_tasks_jobs_dead" in plan and "Seq Scan" not in plan, plan
