"""Jobs that a claim must not overlook: the urgent one among many that came due, a tenant or a lock among very many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tests.integration.desk import Desk, execute, rows
from tests.integration.mutants import must_catch
from youtility_tasks.models import QueueControl

CLAIM, READY, HEADS = "youtility_tasks_claim_v2", "youtility_tasks_ready_v2", "youtility_tasks_lock_heads_v2"


def put(
    n: int, *, tenant: str = "0", priority: int = 6, at: str = "NULL::timestamptz", lock: str = "NULL"
) -> list[int]:
    """Jobs as rows; `tenant` and `lock` are expressions of their number `g`."""
    made = rows(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, noted, tenant_id, priority, scheduled_at, lock)"
        f" SELECT 'maintenance', 't', false, {tenant}, {priority}, {at}, {lock} FROM generate_series(1, {n}) g RETURNING id".replace(
            "%", "%%"
        )
    )
    return [job_id for (job_id,) in made]


def ids(desk: Desk, n: int) -> list[int]:
    return [each.id for each in desk.claim(n)]


# -- what came due


@pytest.mark.parametrize("has_controls", [False, True])
def test_an_urgent_job_that_came_due_is_not_behind_all_that_came_due_before(desk: Desk, has_controls: bool) -> None:
    """As many as a claim takes; and others that are ready fill every claim."""

    def check() -> None:
        if has_controls:
            QueueControl.objects.create(max_running=500)
        put(10, priority=1, at="clock_timestamp() - interval '1 hour'")
        (urgent,) = put(1, priority=10, at="clock_timestamp() - interval '1 second'")
        ready = put(10, priority=5)

        assert ids(desk, 5) == [urgent, *ready[:4]]

    guard = "WHILE cardinality(ids) < p_n LOOP"
    must_catch(check, "youtility_tasks_due_v1", guard, "WHILE false LOOP")
    if not has_controls:
        must_catch(check, CLAIM, "IF cardinality(others) = p_n THEN", "IF false THEN")


def test_what_came_due_is_taken_by_priority_and_then_by_time(desk: Desk) -> None:
    def check() -> None:
        expected = []
        for priority in (15, 6, -5):
            late, early = (
                put(2, priority=priority, at=f"now() - interval '{h} hours' - g * interval '1 s'") for h in (1, 2)
            )
            expected += [*early[::-1], *late[::-1]]
            put(1, priority=priority, at="now() + interval '1 hour'")

        found = rows("SELECT unnest(youtility_tasks_due_v1('maintenance', '-infinity', clock_timestamp(), 11))")

        assert [job_id for (job_id,) in found] == expected[:11]

    must_catch(check, "youtility_tasks_due_v1", "<= (here, p_until)", "<= (here, 'infinity'::timestamptz)")
    must_catch(check, "youtility_tasks_due_v1", "> here ORDER BY -j.priority", "> here ORDER BY j.priority")


# -- very many tenants


@pytest.mark.usefixtures("never_slow")
def test_the_last_tenant_number_of_all_is_one_like_the_others(desk: Desk) -> None:
    def check() -> None:
        put(128, tenant="2147483647 - g % 64")

        assert Counter(each.tenant_id for _ in range(128) for each in desk.claim(1)) == Counter(
            {2**31 - 1 - n: 2 for n in range(64)}
        )

    must_catch(check, READY, "least(tenants[need] + 1::bigint, 2147483647)", "(tenants[need] + 1)")


@pytest.mark.usefixtures("never_slow")
def test_among_thousands_of_tenants_a_session_remembers_only_some(desk: Desk) -> None:
    def check() -> None:
        put(600, tenant="g % 300 + 1")

        served: Counter[int] = Counter()
        for _ in range(30):
            served.update(each.tenant_id for each in desk.claim(10))
            ((state,),) = rows("SELECT current_setting('youtility_tasks.turns')")
            assert state.count(",") <= 2 * 128

        assert len(served) == 300
        assert set(served.values()) == {1}

    must_catch(check, "youtility_tasks_turns_after_v2", "LIMIT 128", "")


@pytest.fixture
def two(fresh_database: Any) -> Iterator[tuple[psycopg.Connection[Any], psycopg.Connection[Any]]]:
    """Two sessions, the first of which gives up after some seconds."""
    with psycopg.connect(fresh_database.url, autocommit=True) as one, psycopg.connect(fresh_database.url) as other:
        one.execute("SET statement_timeout = '5s'")
        yield one, other


HELD = (
    "INSERT INTO procrastinate_jobs (queue_name, task_name, noted, tenant_id, priority)"
    " SELECT 'email', 't', false, g, 9 FROM generate_series(1, %s) g"
)


@pytest.mark.parametrize("tenants", [63, 64, 65, 128, 200])
def test_rows_that_somebody_holds_keep_no_claim_from_the_others(
    two: tuple[psycopg.Connection[Any], psycopg.Connection[Any]], tenants: int
) -> None:
    """A long transaction that cancels a job of each tenant, say."""
    connection, hog = two
    connection.execute(HELD, [tenants])
    connection.execute("INSERT INTO procrastinate_jobs (queue_name, task_name, noted) VALUES ('email', 't', false)")
    connection.execute("SELECT set_config('youtility_tasks.turns', '{1}|{0.5}', false)")  # not the straight way
    ((worker,),) = connection.execute("SELECT youtility_tasks_register_v1('h', 1, 1, 'email', 10)").fetchall()
    hog.execute("SELECT FROM procrastinate_jobs WHERE priority = 9 FOR UPDATE")

    taken = connection.execute("SELECT priority FROM youtility_tasks_claim_v2('email', %s, 10)", [worker]).fetchall()

    assert taken == [(0,)]


def test_when_the_first_tenants_are_held_the_next_ones_are_served(
    two: tuple[psycopg.Connection[Any], psycopg.Connection[Any]],
) -> None:
    connection, hog = two
    connection.execute(HELD, [200])
    connection.execute("SELECT set_config('youtility_tasks.turns', '{1}|{0.5}', false)")
    connection.execute("SELECT set_config('youtility_tasks.tenants_from', '150', false)")
    ((worker,),) = connection.execute("SELECT youtility_tasks_register_v1('h', 1, 1, 'email', 10)").fetchall()
    hog.execute("SELECT FROM procrastinate_jobs WHERE tenant_id NOT IN (140, 149) FOR UPDATE")

    taken = connection.execute("SELECT tenant_id FROM youtility_tasks_claim_v2('email', %s, 10)", [worker]).fetchall()

    assert sorted(taken) == [(140,), (149,)]


# -- very many locks


@pytest.fixture
def busy_locks(desk: Desk, other_desk: Desk) -> None:
    """Six locks of each of 40 tenants run elsewhere, and jobs wait behind them."""
    their_locks = {"tenant": "100 + g % 40", "lock": "(100 + g % 40) || ':' || g / 40"}
    put(240, **their_locks)
    assert len(other_desk.claim(240)) == 240
    put(240, **their_locks)


@pytest.mark.usefixtures("never_slow", "busy_locks")
def test_beside_other_work_each_lock_of_many_tenants_is_looked_at_in_the_end(desk: Desk) -> None:
    def check() -> None:
        free = put(40, tenant="100 + g % 40", lock="(100 + g % 40) || ':z'")
        put(400)

        taken = {job_id for _ in range(100) for job_id in ids(desk, 4)}

        assert set(free) <= taken

    must_catch(check, HEADS, "WHERE r.key::integer < first_tenant OR", "WHERE false AND")


@pytest.mark.usefixtures("never_slow", "busy_locks")
def test_an_idle_worker_looks_at_the_locks_of_every_tenant_in_one_go(desk: Desk) -> None:
    def check() -> None:
        (free,) = put(1, tenant="139", lock="'139:z'", priority=1)

        assert ids(desk, 4) == [free]

    must_catch(check, HEADS, "OR (is_round AND first_tenant >= began)", "OR true")


# -- looking away


def test_after_one_very_long_look_a_claim_does_not_look_away_for_long(desk: Desk) -> None:
    """A server that stood still for four seconds made its workers overlook urgent jobs for forty."""

    def check() -> None:
        text = rows("SELECT pg_get_functiondef(oid) FROM pg_proc WHERE proname = %s", CLAIM)[0][0]
        slow = text.replace("took := clock_timestamp() - instant;", "took := interval '4 s';")
        assert slow != text
        execute(slow.replace("%", "%%"))
        put(10)
        ids(desk, 2)
        ids(desk, 2)

        ((floors,),) = rows("SELECT current_setting('youtility_tasks.floors')")
        ((is_far,),) = rows("SELECT %s::timestamptz > clock_timestamp() + interval '2 s'", floors.split("|")[0])
        assert not is_far

    must_catch(check, CLAIM, "least(longest, 10 * took)", "10 * took")


def test_who_stops_half_way_in_taking_a_lock_keeps_nobody_from_the_other_jobs(
    two: tuple[psycopg.Connection[Any], psycopg.Connection[Any]],
) -> None:
    """A stock worker frozen inside its transaction, then a more urgent job of the lock: its place in the index is taken, perhaps."""
    connection, stock = two
    connection.execute(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, noted, lock) VALUES ('email', 't', false, 'one')"
    )
    stock.execute("SELECT procrastinate_fetch_job_v2(ARRAY['email']::varchar[], NULL)")
    connection.execute(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, noted, lock, priority)"
        " VALUES ('email', 't', false, 'one', 9), ('email', 'free', false, NULL, 0)"
    )
    ((worker,),) = connection.execute("SELECT youtility_tasks_register_v1('h', 1, 1, 'email', 10)").fetchall()
    claim = "SELECT task_name, lock FROM youtility_tasks_claim_v2('email', %s, 10)"

    assert connection.execute(claim, [worker]).fetchall() == [("free", None)]

    connection.execute("UPDATE procrastinate_jobs SET status = 'todo', worker_id = NULL WHERE task_name = 'free'")
    connection.execute("ALTER FUNCTION youtility_tasks_claim_v2 RESET lock_timeout")
    with pytest.raises(psycopg.errors.QueryCanceled):
        connection.execute(claim, [worker])
