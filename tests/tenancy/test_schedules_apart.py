"""Schedules, occurrences and holidays of one tenant are nobody else's; and workers fire them as a task of that tenant."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connections

from tests.acceptance.crew import Crew
from tests.faults.test_schedules import fired, put
from tests.tenancy.attacks.ways import refused
from tests.tenancy.crews import crew_of
from tests.tenancy.ground import A, B, House
from youtility_tasks import queries, schedules, tenant, tenants
from youtility_tasks.schedules import defaults
from youtility_tasks.tenancy import roles

pytestmark = pytest.mark.usefixtures("django_db_setup", "unblocked")

TABLES = ("scheduledtask", "scheduledtaskexecution", "scheduleholiday")


@pytest.fixture
def unblocked(django_db_blocker: Any) -> Iterator[None]:
    with django_db_blocker.unblock():
        yield


@pytest.fixture
def crew(house: House, tmp_path: Path) -> Iterator[Crew]:
    made = crew_of(house, tmp_path)
    yield made
    made.close()


def furnish(house: House) -> None:
    """A schedule, an occurrence and a holiday of each tenant."""
    for tenant_id in (A, B):
        ((schedule_id,),) = house.rows(
            "INSERT INTO youtility_tasks_scheduledtask (tenant_id, name, task_name, args, tick_argument, queue_name, kind, cron, zone,"
            " days, working_weekdays, jitter_s, missed, missed_most, grace_s, overlap, is_paused, paused_by, pause_reason, version,"
            " changed_by, live_jobs)"
            " VALUES (%s, 'Bolt', 't', '{}', '', '', 'cron', '0 0 1 1 *', '', 'every_day', '12345', 0, 'none', 1, 60, 'allow', false, '',"
            " '', 1, '', '[]') RETURNING id",
            tenant_id,
        )
        house.rows(
            "INSERT INTO youtility_tasks_scheduledtaskexecution (tenant_id, schedule_id, tick_at, version, outcome, reason, detail,"
            " tick_count, by_hand) VALUES (%s, %s, now(), 1, 'skipped', 'missed', 'Bolt', 1, false)",
            tenant_id,
            schedule_id,
        )
        house.rows(
            "INSERT INTO youtility_tasks_scheduleholiday (tenant_id, day, name) VALUES (%s, '2031-01-01', 'Bolt')",
            tenant_id,
        )


def test_who_has_many_schedules_keeps_nobody_elses_waiting(house: House) -> None:
    furnish(house)
    house.rows(
        "INSERT INTO youtility_tasks_scheduledtask SELECT (jsonb_populate_record(s, jsonb_build_object('name', n::text, 'next_at', now() -"
        " interval '1 day', 'id', nextval(pg_get_serial_sequence('youtility_tasks_scheduledtask', 'id'))))).*"
        " FROM youtility_tasks_scheduledtask s, generate_series(1, 60) n WHERE s.tenant_id = %s",
        A,
    )
    house.rows("UPDATE youtility_tasks_scheduledtask SET next_at = now() WHERE tenant_id = %s", B)
    with house.connect("worker") as session:
        ask = queries.statement("due_schedules")
        found = session.execute(ask, {"but_not": [], "most": 2}).fetchall()
        assert {row[1] for row in found} == {A, B} and len(found) == 2
        house.rows(
            "UPDATE youtility_tasks_scheduledtask SET next_at = now() + interval '1 hour' WHERE next_at IS NOT NULL"
        )
        ((_, _, in_s),) = session.execute(ask, {"but_not": [], "most": 51}).fetchall()
        assert 3_000 < in_s <= 3_600


def attack(house: House, part: str) -> None:
    with house.connect(part, A) as session:
        for table in TABLES:
            whole = f"youtility_tasks_{table}"
            assert session.execute(f"SELECT DISTINCT tenant_id FROM {whole}").fetchall() == [(A,)], table
            name = "detail" if table == "scheduledtaskexecution" else "name"
            assert session.execute(f"UPDATE {whole} SET {name} = 'mine' WHERE tenant_id = {B}").rowcount == 0
            with refused(session):
                session.execute(f"INSERT INTO {whole} (id, tenant_id) VALUES (1, {A})")
        with refused(session):
            session.execute(f"UPDATE youtility_tasks_scheduledtask SET tenant_id = {B}")
        with refused(session):
            session.execute(
                f"INSERT INTO youtility_tasks_scheduleholiday (tenant_id, day, name) VALUES ({B}, '2031-01-02', 'theirs')"
            )
        with refused(session):
            session.execute("DELETE FROM youtility_tasks_scheduledtask")


@pytest.mark.parametrize("part", ["web", "task"])
def test_a_tenant_sees_and_changes_its_own_alone(house: House, part: str) -> None:
    furnish(house)
    attack(house, part)


@pytest.mark.parametrize("table", TABLES)
def test_without_its_policy_an_attack_gets_through(house: House, table: str) -> None:
    furnish(house)
    house.rows(f"ALTER POLICY yt_own ON youtility_tasks_{table} USING (true) WITH CHECK (true)")
    with pytest.raises(AssertionError):
        attack(house, "web")


def test_a_worker_sees_when_to_look_and_nothing_of_what_is_said(house: House) -> None:
    furnish(house)
    with house.connect("worker") as session:
        assert len(session.execute("SELECT id, tenant_id, next_at FROM youtility_tasks_scheduledtask").fetchall()) == 2
    with house.connect("worker", A) as session:
        for said in ("args", "name", "cron"):
            with refused(session):
                session.execute(f"SELECT {said} FROM youtility_tasks_scheduledtask")
        with refused(session):
            session.execute("UPDATE youtility_tasks_scheduledtask SET next_at = now()")
    with house.connect("ops", A) as session, refused(session):
        session.execute("SELECT args FROM youtility_tasks_scheduledtask")


def test_workers_fire_for_each_tenant_and_for_sweeps_as_a_task_of_it(crew: Crew, house: House) -> None:
    crew.start(**house.settings)
    of = {tenant_id: put(crew, "it", task="looks_around", tenant_id=tenant_id, every_s=2) for tenant_id in (A, B, 0)}

    for tenant_id, schedule_id in of.items():
        *_, job_id = fired(crew, schedule_id, 1)[0]
        row = crew.queue.ending(job_id)
        assert (row["tenant_id"], row["result"]["user"]) == (tenant_id, house.login("task"))
        if tenant_id:
            assert row["result"]["tenants"] == [tenant_id]


def test_people_and_set_up_work_under_the_roles(house: House) -> None:
    with house.settled():
        roles.act_as("web")
        made = defaults.agree()
        assert "create_job" in made.made and defaults.agree().differences == []
        assert len(schedules.listing()) == len(made.made)
        with tenant(A):
            schedules.create("mine", "task_every_min", cron="0 1 * * *")
            schedules.holidays.add(schedules.preview("mine", 1)[0].tick.date(), "off")
            schedules.pause("mine")
            schedules.run_now("mine")
            schedules.remove("mine")
        with tenant(B):
            assert schedules.listing() == []
        connections["default"].close()
        roles.act_as("ops")
        schedules.holidays.set_zone(A, "Asia/Kolkata")
        assert {each.tenant_id for each in schedules.listing(all_tenants=True)} == {0}
        assert tenants.current_tenant() is None
