"""Real workers, each process as the role that it is: what their tasks can reach, and that everything still works."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.app.mutants import Mutant
from tests.acceptance.crew import Crew, until
from tests.tenancy.crews import crew_of
from tests.tenancy.ground import A, B, House


@pytest.fixture
def crew(house: House, tmp_path: Path) -> Iterator[Crew]:
    house.rows("DELETE FROM procrastinate_jobs")
    house.rows("DELETE FROM youtility_tasks_history")
    made = crew_of(house, tmp_path)
    yield made
    made.close()


def start(crew: Crew, house: House, **more: Any) -> Any:
    return crew.start(**{**house.settings, **more})


def test_every_process_connects_as_what_it_is_and_a_task_sees_its_tenant_alone(crew: Crew, house: House) -> None:
    start(crew, house)
    for tenant in (A, B):
        crew.queue.put("does_nothing", tenant_id=tenant, _scheduled_at="2100-01-01")  # something to be seen throughout
    ids = {tenant: crew.queue.put("looks_around", tenant_id=tenant) for tenant in (A, B, 0)}
    found = {tenant: crew.queue.ending(job_id)["result"] for tenant, job_id in ids.items()}

    for tenant in (A, B):
        assert found[tenant]["user"] == house.login("task")
        assert found[tenant]["tenants"] == [tenant]
        assert found[tenant]["jobs_of"] == [tenant]
        assert set(found[tenant]["refused"]) == {"claim", "keys", "update", "other token", "set role"}
        assert found[tenant]["enqueued_for"] == tenant
    assert found[0]["tenants"] == [A, B], "a sweep lists the tenants"
    assert found[0]["jobs_of"] == [0], "and sees none of their rows"
    assert found[0]["entered"] == {str(A): [A], str(B): [B]}, "until it enters one"
    names = dict(
        house.rows(
            "SELECT usename, count(*) FROM pg_stat_activity WHERE datname = %s AND usename LIKE %s GROUP BY 1",
            house.name,
            f"{house.prefix}%",
        )
    )
    assert names.keys() == {house.login("worker"), house.login("task")}, names


def test_the_whole_life_of_a_job_under_the_roles(crew: Crew, house: House) -> None:
    """Success, retry, dead letter, abort, crash, rescue, hand-back: what the worker's role may do is enough for each."""
    start(crew, house, max_crashes=2)
    done = crew.queue.put("adds", tenant_id=A, a=1, b=2)
    failing = crew.queue.put("always_fails", tenant_id=B)
    assert crew.queue.ending(done)["status"] == "succeeded"
    assert crew.queue.ending(failing)["status"] == "failed"
    assert crew.queue.attempts(failing) == ["retry", "retry", "failed"]
    crashing = crew.queue.put("dies", tenant_id=A, how="kill")  # alone, as it takes its neighbours' process with it
    assert crew.queue.ending(crashing)["outcome"] == "crashed"
    held = crew.queue.put("waits", tenant_id=A)
    until(lambda: crew.queue.statuses().get(held) == "doing")
    crew.queue.rows("UPDATE procrastinate_jobs SET abort_requested = true WHERE id = %s", held)
    assert crew.queue.ending(held)["status"] == "aborted"
    async_job = crew.queue.put("adds_async", tenant_id=B, a=1, b=2, _noted=False)
    assert crew.queue.ending(async_job)["status"] == "succeeded"
    assert {row[0] for row in house.rows("SELECT DISTINCT tenant_id FROM youtility_tasks_history")} == {A, B}


REFUSES = """
    CREATE FUNCTION refuses() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NEW.tenant_id = 7 THEN
            RAISE numeric_value_out_of_range USING MESSAGE = 'not this one';
        END IF;
        RETURN NEW;
    END $$;
    CREATE TRIGGER refuses BEFORE INSERT ON youtility_tasks_history FOR EACH ROW EXECUTE FUNCTION refuses()
"""


def test_an_ending_that_the_database_does_not_take_keeps_nobody_elses(crew: Crew, house: House) -> None:
    house.rows(REFUSES)
    with crew.queue.transaction():
        ids = [crew.queue.put("adds", tenant_id=tenant, a=1, b=n) for n, tenant in enumerate((A, B, B, A, B))]
    supervisor = start(crew, house)
    for job_id, tenant in zip(ids, (A, B, B, A, B), strict=True):
        if tenant == B:
            assert crew.queue.ending(job_id)["status"] == "succeeded"
    workers = crew.queue.workers()
    house.rows("DROP TRIGGER refuses ON youtility_tasks_history")
    assert [crew.queue.ending(job_id)["status"] for job_id in ids] == ["succeeded"] * 5
    assert crew.queue.workers() == workers and supervisor.said("not this one")


def test_the_jobs_of_a_worker_that_dies_go_to_another(crew: Crew, house: House) -> None:
    first = start(crew, house)
    held = crew.queue.put("waits", tenant_id=A, until=str(crew.gate()))
    crew.began(1)
    first.signal(signal.SIGKILL)
    start(crew, house)
    crew.gate().touch()
    assert crew.queue.ending(held)["status"] == "succeeded"
    assert crew.queue.attempts(held) == ["lost", "succeeded"]


def test_upkeep_is_done_in_the_workers_name(crew: Crew, house: House) -> None:
    house.rows("SELECT youtility_tasks_drop_history_day_v1((now() AT TIME ZONE 'UTC')::date + 3)")
    start(crew, house, upkeep_interval_s=0.2)
    until(
        lambda: house.rows(
            "SELECT 1 FROM youtility_tasks_upkeepduty WHERE name = 'forget heartbeats' AND ended_at IS NOT NULL"
        )
    )
    assert house.rows("SELECT name, error FROM youtility_tasks_upkeepduty WHERE error <> ''") == []
    until(
        lambda: house.rows(
            "SELECT 1 FROM youtility_tasks_workerheartbeat h JOIN youtility_tasks_taskworker w ON w.id = h.worker_id"
        ),
        why="it tells how it does",
    )
    days = [str(day) for (day,) in house.rows("SELECT day FROM youtility_tasks_history_days_v1()")]
    assert len(days) >= 8
    open_days = house.rows(
        "SELECT relname FROM pg_class WHERE relname LIKE 'youtility_tasks_history%%' AND relkind IN ('r', 'p')"
        " AND NOT (relrowsecurity AND relforcerowsecurity)"
    )
    assert open_days == []


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("ALTER ROLE {task} BYPASSRLS", "is BYPASSRLS"),
        ("ALTER ROLE {worker} SUPERUSER", "is SUPERUSER"),
        ("ALTER TABLE ticket NO FORCE ROW LEVEL SECURITY", "does not bind its owner"),
        ("GRANT {group} TO {task}", "has the rights of"),
        ("ALTER TABLE procrastinate_workers OWNER TO {worker}", "owns the table procrastinate_workers"),
        ("UPDATE youtility_tasks_keys SET id = '0123456789abcdef'", "not signed with a key of this database"),
    ],
)
def test_a_worker_does_not_start_where_tenants_are_not_apart(
    crew: Crew, house: House, statement: str, told: str
) -> None:
    house.rows(statement.format(task=house.login("task"), worker=house.login("worker"), group=house.group("worker")))

    supervisor = start(crew, house, ready=False)

    assert supervisor.wait() == 1
    assert supervisor.said(told), supervisor.log.read_text()
    house.rows("ALTER TABLE procrastinate_workers OWNER TO youtility")


UNREADABLE = {
    "more digits than Python reads": "jsonb_build_object('a', repeat('9', 5000)::numeric, 'b', 1)",
    "more brackets than Python reads": """('{"a": ' || repeat('[', 3000) || repeat(']', 3000) || '}')::jsonb""",
    "a list": "'[1, 2]'",
    "nothing": "'null'",
}


def put_beside(crew: Crew, house: House, args: str) -> tuple[list[int], int]:
    """Jobs of B that run, and then, by SQL of A's in the web, one in the same child that nobody can read."""
    gate = crew.gate()
    beside = [crew.queue.put("waits", tenant_id=B, until=str(gate), name=str(n)) for n in range(2)]
    crew.began(2)
    with house.connect("web", A) as session:
        columns = "queue_name, task_name, args, tenant_id, noted"
        new = (
            f"INSERT INTO procrastinate_jobs ({columns}) VALUES ('maintenance', 'adds', {args}, 7, false) RETURNING id"
        )
        ((job_id,),) = session.execute(new).fetchall()
        session.commit()
    house.rows('NOTIFY "procrastinate_queue_v1#maintenance"')
    ended = "SELECT status, error_class FROM youtility_tasks_history WHERE job_id = %s"  # nobody can read the rest
    found = until(lambda: house.rows(ended, job_id))
    gate.touch()
    assert found == [("failed", "youtility_tasks.errors.BadInput")]
    return beside, job_id


@pytest.mark.parametrize("why", UNREADABLE)
def test_a_job_that_nobody_can_read_harms_no_job_beside_it(crew: Crew, house: House, why: str) -> None:
    start(crew, house)

    beside, _ = put_beside(crew, house, UNREADABLE[why])

    for job_id in beside:
        assert crew.queue.ending(job_id)["status"] == "succeeded"
        assert crew.queue.attempts(job_id) == ["succeeded"]


def test_without_care_it_ends_the_child_that_it_is_given_to(crew: Crew, house: House) -> None:
    careless = Mutant(
        "youtility_tasks.workers.run", "read", "except (ValueError, RecursionError)", "except ZeroDivisionError"
    )
    crew.start(**house.settings, mutant=careless)

    with pytest.raises(AssertionError):
        put_beside(crew, house, UNREADABLE["more brackets than Python reads"])


LEFT_BEHIND = [
    "SET TimeZone = 'Pacific/Auckland'",
    "SET DateStyle = 'SQL, DMY'",
    "SET default_transaction_read_only = on",
]
ASKED = ["SHOW TimeZone", "SHOW DateStyle", "SHOW default_transaction_read_only"]


def what_the_next_one_finds(crew: Crew, house: House) -> tuple[object, object]:
    before = crew.queue.ending(crew.queue.put("runs_sql", tenant_id=B, statements=ASKED))["result"]
    left = crew.queue.ending(crew.queue.put("runs_sql", tenant_id=A, statements=[*LEFT_BEHIND, *ASKED]))["result"]
    assert left[:3] == [None, None, None] and left[3:] != before
    return before, crew.queue.ending(crew.queue.put("runs_sql", tenant_id=B, statements=ASKED))["result"]


def test_what_a_job_sets_for_its_session_does_not_meet_the_next_tenants(crew: Crew, house: House) -> None:
    """A child keeps its connection: in another time zone a report of the next tenant would be of another day."""
    start(crew, house, threads=1)
    before, after = what_the_next_one_finds(crew, house)
    assert after == before


def test_without_a_look_it_would(crew: Crew, house: House) -> None:
    careless = Mutant(
        "youtility_tasks.workers.session", "is_changed", "return _found[raw] != _state(raw)", "return False"
    )
    crew.start(**house.settings, threads=1, mutant=careless)
    before, after = what_the_next_one_finds(crew, house)
    assert after != before


def test_sql_in_a_task_ends_no_transaction_but_its_own(crew: Crew, house: House) -> None:
    """Whatever it commits, sets or asks for by other doors, it is still A, or nobody."""
    start(crew, house)
    tenants = "SELECT DISTINCT tenant_id FROM procrastinate_jobs"
    crew.queue.put("does_nothing", tenant_id=B, _scheduled_at="2100-01-01")
    statements = {
        f"COMMIT; {tenants}": [],
        f"ROLLBACK; BEGIN; {tenants}": [],
        tenants: [[A]],
        f"RESET ALL; {tenants}": [],
        "SET SESSION AUTHORIZATION DEFAULT": None,
        f"RESET ROLE; {tenants}": [[A]],
        f"DO $$ BEGIN PERFORM set_config('youtility_tasks.tenant', '8', false); END $$; {tenants}": [[A]],
        f"SET LOCAL youtility_tasks.token = ''; {tenants}": [],
        "COPY procrastinate_jobs TO PROGRAM 'cat'": "42501",
        "COPY procrastinate_jobs FROM '/etc/passwd'": "42501",
        "CREATE EXTENSION dblink": "42501",
        "SELECT lo_import('/etc/passwd')": "42501",
        "SELECT pg_read_file('PG_VERSION')": "42501",
        "CREATE SCHEMA mine": "42501",
    }

    said = crew.queue.ending(crew.queue.put("runs_sql", tenant_id=A, statements=list(statements)))["result"]

    assert dict(zip(statements, said, strict=True)) == statements
