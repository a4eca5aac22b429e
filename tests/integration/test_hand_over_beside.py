"""Handing over a job costs nobody else anything: not who enqueues, whatever his transaction is like, nor a worker that leaves."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from django.db import DatabaseError, transaction

from tests.acceptance.crew import until
from tests.integration.desk import execute, job, rescue, rows
from tests.integration.idle import (
    CHANNEL,
    HAND_OVER,
    KNOWN,
    QUEUE,
    SOON_S,
    WAKE,
    Idle,
    anew,
    changed,
    handing_over,
    idle_worker,
    last_trigger,
    put,
    withdraw,
)
from tests.integration.test_looks import locked
from youtility_tasks import Task, enqueue, queries

pytestmark = pytest.mark.usefixtures("committed")

WAITS_FOR_ROW = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND wait_event <> 'advisory'"


def test_one_transaction_at_a_time_hands_over_and_none_waits_for_another(idle: Idle, sweep_task: Task) -> None:
    with handing_over() as first:
        began = time.monotonic()
        second = put(sweep_task)
        assert time.monotonic() - began < 1
        assert job(second).status == "todo"
    assert idle.is_handed(first)


def test_two_at_a_time_would_mean_the_same_slot(idle: Idle, sweep_task: Task) -> None:
    guard = "OR NOT pg_try_advisory_xact_lock(hashtext('youtility_tasks_hand_over'), hashtext(p_queue))"
    with changed(HAND_OVER, (guard, "")):
        with handing_over() as first:
            second = put(sweep_task)
        assert idle.is_handed(first, second), "of a worker with one slot"


@pytest.mark.parametrize("table", ["youtility_tasks_offer", "youtility_tasks_queuecontrol"])
def test_while_somebody_has_locked_a_table_who_enqueues_waits_for_nobody(
    idle: Idle, sweep_task: Task, table: str
) -> None:
    with locked(table), transaction.atomic():
        execute("SET LOCAL statement_timeout = '2s'")
        put(sweep_task)
    assert not idle.is_handed()


def test_a_worker_that_is_rescued_meanwhile_is_handed_nothing(idle: Idle, sweep_task: Task) -> None:
    with psycopg.connect(queries.conninfo("test aside", part=None)) as aside:
        aside.execute("DELETE FROM procrastinate_workers WHERE id = %s", [idle.desk.id])
        job_id = put(sweep_task)
        assert job(job_id).status == "todo"
        aside.commit()
    assert not idle.is_handed(job_id)


def test_an_offer_goes_with_its_worker(idle: Idle) -> None:
    idle.desk.fall_silent()
    rescue()
    assert rows("SELECT count(*) FROM youtility_tasks_offer") == [(0,)]


def test_a_worker_that_withdraws_is_handed_nothing_more(idle: Idle, sweep_task: Task) -> None:
    withdraw(idle)
    assert not idle.is_handed(put(sweep_task))
    idle.desk.claim()
    idle.offers(slots=2)
    assert any(idle.hears()) is False
    put(sweep_task)
    assert len([each for each in idle.hears() if each]) == 1


def test_a_worker_that_leaves_gives_back_what_it_is_handed_meanwhile(idle: Idle) -> None:
    def leave() -> str:
        execute("DELETE FROM procrastinate_jobs")
        with idle_worker() as leaving:
            leaving.offers()
            with ThreadPoolExecutor(1) as pool:
                with handing_over():
                    unregister = "SELECT youtility_tasks_unregister_v1(%s)"
                    left = pool.submit(leaving.session.execute, unregister, [leaving.desk.id])
                    until(lambda: rows(WAITS_FOR_ROW), why="it waits")
                left.result()
        ((status,),) = rows("SELECT status FROM procrastinate_jobs")
        return str(status)

    withdraw(idle)
    idle.hears()
    assert leave() == "todo"
    assert None in idle.hears(), "another worker is told"
    guard = "PERFORM FROM procrastinate_workers w WHERE w.id = p_worker_id FOR UPDATE;"
    with changed("youtility_tasks_unregister_v1", (guard, "")):
        assert leave() == "doing", "a stray, for half a minute"


def test_a_renewal_gives_back_what_the_worker_has_not_heard_of_but_not_at_once(idle: Idle, sweep_task: Task) -> None:
    job_id = put(sweep_task)
    assert idle.desk.renew(after_s=0) == set()
    assert idle.desk.renew() == {("returned", job_id)}
    assert job(job_id).status == "todo"


def asked(jobs: Callable[[], object]) -> int:
    """How often somebody is asked whether he hands a job over."""
    execute("SELECT set_config('test.asked', '0', false)")
    jobs()
    return int(rows("SELECT current_setting('test.asked')")[0][0])


COUNTED = (
    "BEGIN\n",
    "BEGIN\n    PERFORM set_config('test.asked', (current_setting('test.asked')::integer + 1)::text, false);\n",
)


@contextlib.contextmanager
def somebody_else_is_notifying() -> Iterator[None]:
    """In these seconds, so that nobody else does."""
    with psycopg.connect(queries.conninfo("test aside", part=None)) as aside:
        moments = [f"{QUEUE}{int(time.time() * 20) + n}" for n in range(-20, 400)]
        wakes = "SELECT pg_advisory_xact_lock(hashtext('youtility_tasks_wake'), hashtext(m)) FROM unnest(%s::text[]) m"
        aside.execute(wakes, [moments])
        yield


def test_who_enqueues_a_thousand_is_not_asked_a_thousand_times(idle: Idle, sweep_task: Task) -> None:
    def many() -> None:
        enqueue.enqueue_many(sweep_task, [{"number": n} for n in range(20)])

    with changed(HAND_OVER, COUNTED), somebody_else_is_notifying():
        assert asked(many) == 1
        with changed(WAKE, ("PERFORM set_config('youtility_tasks.kept',", "PERFORM set_config('test.kept',")):
            assert asked(many) == 20


def test_of_a_thousand_jobs_for_two_queues_two_are_asked_for(idle: Idle, sweep_task: Task) -> None:
    def in_turn() -> None:
        with transaction.atomic():
            for n in range(20):
                put(sweep_task, queue_name=("reports", QUEUE)[n % 2])

    with changed(HAND_OVER, COUNTED):
        assert asked(in_turn) == 2
        with changed(WAKE, ("kept || '/' ||", "'/' ||")):
            assert asked(in_turn) == 20


def test_without_a_right_to_it_who_enqueues_does_not_fail(idle: Idle, sweep_task: Task) -> None:
    """Between a migration and `setup_task_queue`."""
    execute("CREATE ROLE yt_without_rights")
    try:
        execute("ALTER FUNCTION youtility_tasks_wake_v1() OWNER TO yt_without_rights")
        assert not idle.is_handed(put(sweep_task))
    finally:
        execute("ALTER FUNCTION youtility_tasks_wake_v1() OWNER TO CURRENT_USER")
        execute("DROP ROLE yt_without_rights")


def test_where_the_transaction_has_another_search_path_by_now_nobody_fails(idle: Idle, sweep_task: Task) -> None:
    def enqueue_and_look_elsewhere() -> int:
        with transaction.atomic():
            job_id = put(sweep_task)
            execute("SET LOCAL search_path = ''")
        return job_id

    assert idle.is_handed(enqueue_and_look_elsewhere())
    anew(idle)
    with changed(WAKE), pytest.raises(DatabaseError, match="does not exist"):
        execute("ALTER FUNCTION youtility_tasks_wake_v1() RESET search_path")
        enqueue_and_look_elsewhere()


def test_a_transaction_that_may_write_no_more_commits(idle: Idle, sweep_task: Task) -> None:
    def enqueue_and_only_read() -> int:
        with transaction.atomic():
            job_id = put(sweep_task)
            execute("SET TRANSACTION READ ONLY")
        return job_id

    assert not idle.is_handed(enqueue_and_only_read())
    anew(idle)
    with changed(HAND_OVER, ("WHEN OTHERS", "WHEN division_by_zero")), pytest.raises(DatabaseError, match="read-only"):
        enqueue_and_only_read()


@pytest.mark.parametrize("before", [True, False])
def test_a_transaction_that_may_go_on_hands_nothing_over(idle: Idle, sweep_task: Task, before: bool) -> None:
    """It might delete the job, and nobody can take a letter back."""

    def check() -> bool:
        with transaction.atomic():
            if before:
                execute("SET CONSTRAINTS ALL IMMEDIATE")
            job_id = put(sweep_task)
            execute("SET CONSTRAINTS ALL IMMEDIATE")
            found = job(job_id).status == "doing"
        idle.hears()
        return found

    assert not check()
    anew(idle)
    execute("ALTER TABLE procrastinate_jobs DISABLE TRIGGER youtility_tasks_handed")
    try:
        assert check()
    finally:
        execute("ALTER TABLE procrastinate_jobs ENABLE TRIGGER youtility_tasks_handed")


def test_the_tenant_of_the_transaction_is_what_it_was(idle: Idle) -> None:
    execute("CREATE TABLE zz_found (token text)")
    try:
        with (
            last_trigger("INSERT INTO zz_found VALUES (current_setting('youtility_tasks.token'))"),
            transaction.atomic(),
        ):
            execute("SELECT set_config('youtility_tasks.token', 'whose', true)")
            execute(
                "INSERT INTO procrastinate_jobs (queue_name, task_name, args, noted, tenant_id) VALUES (%s, 'x', '{}', false, 0)",
                QUEUE,
            )
        assert rows("SELECT token FROM zz_found") == [("whose",)]
    finally:
        execute("DROP TABLE zz_found")
    assert idle.is_handed(*(found for (found,) in rows("SELECT id FROM procrastinate_jobs")))


def told_to_rest(idle: Idle, *, times: int = 3) -> list[bool]:
    """Of some jobs that one session enqueues: whether its workers are told to rest."""
    insert = "INSERT INTO procrastinate_jobs (queue_name, task_name, args, noted) VALUES (%s, 'x', '{}', false)"
    found = []
    with psycopg.connect(queries.conninfo("test aside", part=None), autocommit=True) as aside:
        aside.execute(KNOWN)
        for _ in range(times):
            aside.execute(insert, [QUEUE])
            told = [each.payload for each in idle.session.notifies(timeout=SOON_S) if each.channel == CHANNEL]
            assert any(told), "it is handed over all the same"
            found.append("" in told)
            anew(idle)
    return found


TAKES_LONG = [("'1 hour'", "'15 ms'"), ("    handed :=", "    PERFORM pg_sleep(0.02);\n    handed :=")]
"""As if an old snapshot were open."""


def test_where_it_takes_long_twice_the_workers_are_told_to_rest(idle: Idle) -> None:
    """The first time it is planned, which takes long, too."""
    assert told_to_rest(idle) == [False] * 3
    with changed(HAND_OVER, *TAKES_LONG):
        assert told_to_rest(idle) == [False, False, True]
        with changed(HAND_OVER, ("p_is_planned AND", "")):
            assert told_to_rest(idle) == [False, True, True]
        with changed(HAND_OVER, ("takes_long AND took_long", "takes_long")):
            assert told_to_rest(idle) == [False, True, True]


def test_a_session_that_has_just_begun_hands_nothing_over(idle: Idle) -> None:
    """It would plan for longer than the claim takes, and an application that opens one for each request pays that each time."""
    insert = "INSERT INTO procrastinate_jobs (queue_name, task_name, args, noted) VALUES (%s, 'x', '{}', false) RETURNING status"

    def handed_by() -> list[bool]:
        found = []
        with psycopg.connect(queries.conninfo("test aside", part=None), autocommit=True) as aside:
            for _ in range(5):
                aside.execute(insert, [QUEUE])
                found.append(bool(rows("SELECT 1 FROM procrastinate_jobs WHERE status = 'doing'")))
                anew(idle)
        return found

    assert handed_by() == [False, False, False, True, True]
    with changed(WAKE, ("commits >= few AND", "")):
        assert handed_by() == [True] * 5


def test_a_worker_that_is_not_registered_any_more_offers_nothing(idle: Idle) -> None:
    """It learns of that by its next renewal."""
    execute("DELETE FROM procrastinate_workers")
    idle.offers()
    assert rows("SELECT count(*) FROM youtility_tasks_offer") == [(0,)]
