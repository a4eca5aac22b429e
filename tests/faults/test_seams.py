"""Where processes and the server meet: forks, pipes, timeouts, the notification queue."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from typing import Any

import psycopg
import pytest

from tests.acceptance.app.mutants import Mutant
from tests.acceptance.crew import Crew, until
from youtility_tasks import queries


def test_siblings_share_neither_a_session_nor_a_random_sequence(crew: Crew) -> None:
    crew.start(processes=2, threads=1)
    gate = crew.gate()
    jobs = [crew.queue.put("tells_its_fork", until=str(gate)) for _ in range(2)]
    crew.began(2, task="tells_its_fork")
    gate.touch()

    said = [crew.queue.ending(job_id)["result"] for job_id in jobs]

    for trait in ("pid", "session", "random"):
        assert said[0][trait] != said[1][trait], trait


def test_a_log_that_nobody_reads_does_not_stop_a_worker(crew: Crew) -> None:
    """More lines than a pipe holds; the worker goes on finishing and renewing."""
    reading, writing = os.pipe()
    try:
        crew.start(threads=4, stderr=writing, log_level="DEBUG")
        os.close(writing)
        jobs = [crew.queue.put("adds", a=number, b=0) for number in range(1_500)]
        for job_id in jobs:
            crew.queue.ending(job_id, within_s=40)
        crew.next_heartbeat("running")
    finally:
        os.close(reading)


def nobody_reads(crew: Crew, mutant: Mutant | None) -> None:
    """A pipe that is full from the start: a pager that waits, Ctrl-S, a log collector that hangs."""
    reading, writing = os.pipe()
    try:
        os.set_blocking(writing, False)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(writing, b"x" * 4096)
        os.set_blocking(writing, True)
        supervisor = crew.start(threads=4, stdout=writing, stderr=writing, ready=False, mutant=mutant)
        until(crew.queue.workers, within_s=20 if mutant is None else 6, why="nobody registers")
        jobs = [crew.queue.put("logs_much") for _ in range(3)]
        for job_id in jobs:
            assert crew.queue.ending(job_id)["output"].endswith("printed 999\n")
        for _ in range(2):
            ((_, worker),) = crew.queue.workers()
            os.kill(worker, signal.SIGKILL)
            until(lambda before=worker: worker_is_another_than(crew, before), why="a dead worker is replaced")
        assert crew.queue.ending(crew.queue.put("adds", a=1, b=2))["result"] == 3
        supervisor.signal(signal.SIGTERM)
        assert supervisor.wait() == 0
    finally:
        os.close(writing)
        os.close(reading)


def test_where_nobody_reads_the_log_tasks_may_print_and_dead_workers_are_replaced(crew: Crew) -> None:
    nobody_reads(crew, None)


def test_with_streams_that_wait_nothing_works_where_nobody_reads(crew: Crew) -> None:
    with pytest.raises(AssertionError, match="nobody registers"):
        nobody_reads(crew, Mutant("youtility_tasks.workers.outlet", "_unblocked", "stream is not None", "False"))


def worker_is_another_than(crew: Crew, pid: int) -> bool:
    workers = [each for _, each in crew.queue.workers()]
    return len(workers) == 1 and pid not in workers


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full here")
def test_a_log_without_room_keeps_nobody_from_working(crew: Crew) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        supervisor = crew.start(threads=4, stdout=full, stderr=full)
        assert crew.queue.ending(crew.queue.put("logs_much"))["status"] == "succeeded"
        ((_, worker),) = crew.queue.workers()
        os.kill(worker, signal.SIGKILL)
        until(lambda: worker_is_another_than(crew, worker), why="a dead worker is replaced")
        assert crew.queue.ending(crew.queue.put("logs_much"))["status"] == "succeeded"
        supervisor.signal(signal.SIGTERM)
        assert supervisor.wait() == 0
    finally:
        os.close(full)


def test_a_finish_that_the_server_cancels_is_sent_again(crew: Crew) -> None:
    """A statement_timeout of the queue's role, and somebody who holds the row beyond it."""
    with psycopg.connect(crew.queue.url, autocommit=True) as owner:
        name, role = owner.execute("SELECT current_database(), current_user").fetchone() or ("", "")
        owner.execute(f'ALTER ROLE "{role}" IN DATABASE "{name}" SET statement_timeout = 300')
        crew.start(threads=1)
        owner.execute(f'ALTER ROLE "{role}" IN DATABASE "{name}" RESET statement_timeout')
    gate = crew.gate()
    job_id = crew.queue.put("waits", until=str(gate), name="a")
    crew.began(1)
    with psycopg.connect(crew.queue.url) as hog:
        hog.execute("SELECT 1 FROM procrastinate_jobs WHERE id = %s FOR UPDATE", [job_id])
        gate.touch()
        until(lambda: crew.supervisors[0].said("queue out of reach"), why="the finish is cancelled")

    assert crew.queue.ending(job_id)["status"] == "succeeded"
    assert crew.queue.attempts(job_id) == ["succeeded"]
    assert len(crew.diary("begin")) == 1


def large_results_that_end_at_once(crew: Crew, mutant: Mutant | None) -> None:
    """While nobody can write, some 30 MB of results come together; one statement with all of them takes longer than it may."""
    crew.start(threads=150, mutant=mutant, statement_deadline_s=0.4, lease_s=60)
    jobs = [crew.queue.put("returns_much", until=str(crew.gate())) for _ in range(150)]
    crew.began(150, task="returns_much")
    with psycopg.connect(crew.queue.url) as hog:
        hog.execute("LOCK TABLE youtility_tasks_history IN SHARE MODE")
        crew.gate().touch()
        until(lambda: crew.supervisors[0].log.read_text().count("queue out of reach") >= 4, why="nobody can write")

    for job_id in jobs:
        crew.queue.ending(job_id, within_s=20 if mutant is None else 5)


def test_results_that_are_too_large_for_one_statement_go_in_parts(crew: Crew) -> None:
    large_results_that_end_at_once(crew, None)


def test_in_one_statement_they_would_never_be_recorded(crew: Crew) -> None:
    with pytest.raises(AssertionError, match="has not ended"):
        large_results_that_end_at_once(
            crew,
            Mutant(
                "youtility_tasks.workers.worker",
                "Worker._pump",
                "self.holdings.send(self.most, ",
                "self.holdings.send(10**6, ",
            ),
        )


ONE = {
    "queue_name": "email", "task_name": "t", "priority": 5, "lock": None, "queueing_lock": None, "args": "{}",
    "scheduled_at": None, "unique_key": None, "tenant_id": 0,
}  # fmt: skip
MANY = {name: [value] for name, value in ONE.items()}

ALL_MOMENTS = """
SELECT pg_advisory_xact_lock(hashtext('youtility_tasks_wake'), hashtext(%s || moment + n))
  FROM floor(extract(epoch FROM clock_timestamp()) * 20) moment, generate_series(0, 100) n"""
"""Be the one that notifies, now and for the next five seconds."""


@pytest.mark.parametrize("limit", ["0.5", "-1"])
@pytest.mark.parametrize(("statement", "job"), [("enqueue_jobs", MANY), ("enqueue_job", ONE)], ids=["many", "one"])
def test_nobody_is_woken_while_the_notification_queue_is_more_than_half_full(
    fresh_database: Any, statement: str, job: dict[str, Any], limit: str
) -> None:
    """Filling it takes 8 GB; so the limit moves instead."""
    with psycopg.connect(fresh_database.url, autocommit=True) as connection:
        text = wake(connection)
        assert "pg_notification_queue_usage() < 0.5" in text
        connection.execute(
            text.replace("pg_notification_queue_usage() < 0.5", f"pg_notification_queue_usage() < {limit}")
        )
        connection.execute('LISTEN "procrastinate_queue_v1#email"')

        connection.execute(queries.statement(statement), {**job, "noted": False})

        assert heard(connection) == (1 if limit == "0.5" else 0)
        assert connection.execute("SELECT count(*) FROM procrastinate_jobs").fetchall() == [(1,)]


def wake(connection: psycopg.Connection[Any]) -> str:
    """The function that decides who is woken."""
    ((text,),) = connection.execute(
        "SELECT pg_get_functiondef(oid) FROM pg_proc WHERE proname = 'youtility_tasks_wake_v1'"
    ).fetchall()
    return str(text)


def heard(connection: psycopg.Connection[Any]) -> int:
    return len(list(connection.notifies(timeout=0.2)))


def test_a_thousand_jobs_of_one_transaction_wake_their_queue_once(fresh_database: Any) -> None:
    with psycopg.connect(fresh_database.url, autocommit=True) as connection:
        connection.execute('LISTEN "procrastinate_queue_v1#email"')

        with connection.transaction():
            for _ in range(2):
                many = {name: value * 500 for name, value in MANY.items()}
                connection.execute(queries.statement("enqueue_jobs"), {**many, "noted": False})

        assert heard(connection) == 1


@pytest.mark.parametrize("early", ["", "SET CONSTRAINTS ALL IMMEDIATE"], ids=["as ever", "decided early"])
def test_a_transaction_that_stays_open_does_not_keep_others_from_waking(fresh_database: Any, early: str) -> None:
    job = {**ONE, "noted": False}
    with (
        psycopg.connect(fresh_database.url, autocommit=True) as connection,
        psycopg.connect(fresh_database.url) as slow,
    ):
        connection.execute('LISTEN "procrastinate_queue_v1#email"')
        slow.execute(queries.statement("enqueue_job"), job)
        if early:
            slow.execute(early)
            time.sleep(0.06)

        connection.execute(queries.statement("enqueue_job"), job)

        assert heard(connection) == 1


def test_a_transaction_that_left_the_waking_to_another_wakes_itself_with_a_later_row(fresh_database: Any) -> None:
    job = {**ONE, "noted": False}
    with (
        psycopg.connect(fresh_database.url, autocommit=True) as connection,
        psycopg.connect(fresh_database.url) as other,
    ):
        connection.execute('LISTEN "procrastinate_queue_v1#email"')
        other.execute(ALL_MOMENTS.replace("100", "4"), ["email"])

        with connection.transaction():
            connection.execute(queries.statement("enqueue_job"), job)
            connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
            time.sleep(0.3)
            connection.execute(queries.statement("enqueue_job"), job)

        assert heard(connection) == 1


@pytest.mark.parametrize("later_s", [0.02, 0.7])
def test_a_job_that_left_the_waking_to_another_transaction_is_found_all_the_same(crew: Crew, later_s: float) -> None:
    """Its worker was woken by the other before it was there to be seen: its own commit took that much longer."""
    crew.start(poll_interval_s=60.0)
    first = crew.queue.put("adds", a=1, b=1, _noted=False)
    assert crew.queue.ending(first)["status"] == "succeeded"
    time.sleep(1.3)  # nothing of the first asks for another look

    with psycopg.connect(crew.queue.url) as other:
        other.execute(ALL_MOMENTS, ["maintenance"])
        crew.queue.rows("NOTIFY \"procrastinate_queue_v1#maintenance\", '{}'")
        time.sleep(later_s)
        second = crew.queue.put("adds", a=2, b=2, _noted=False)

        assert crew.queue.ending(second, within_s=5)["status"] == "succeeded"


def pages(connection: psycopg.Connection[Any], call: str, parameters: list[Any]) -> int:
    """How many pages a call looks at."""
    ((plan,),) = connection.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {call}", parameters).fetchall()
    return int(plan[0]["Plan"]["Shared Hit Blocks"] + plan[0]["Plan"]["Shared Read Blocks"])


def pages_of_a_claim(connection: psycopg.Connection[Any]) -> int:
    """How many pages a claim of ten looks at; the claim itself is taken back."""
    worker = connection.execute("SELECT youtility_tasks_register_v1('h', 1, 1, 'email', 10)").fetchall()[0][0]
    seen = 0
    for _ in range(2):  # the first one loads and plans
        connection.execute("BEGIN")
        seen = pages(connection, "SELECT id FROM youtility_tasks_claim_v2('email', %s, 10)", [worker])
        connection.execute("ROLLBACK")
    return seen


@pytest.mark.parametrize(
    ("column", "value"),
    [("scheduled_at", "now() + interval '1 day'"), ("lock", "'1:a'")],
    ids=["future jobs", "a crowd behind one lock"],
)
def test_what_cannot_run_costs_a_claim_nothing(fresh_database: Any, column: str, value: str) -> None:
    insert = (
        "INSERT INTO procrastinate_jobs (queue_name, task_name, priority, noted{0}) SELECT 'email', 't', {2}, false{1}"
    )
    with psycopg.connect(fresh_database.url, autocommit=True) as connection:
        connection.execute(insert.format(f", {column}", f", {value}", 9) + " FROM generate_series(1, 20)")
        connection.execute(insert.format("", "", 5) + " FROM generate_series(1, 200)")
        few = pages_of_a_claim(connection)

        connection.execute(insert.format(f", {column}", f", {value}", 9) + " FROM generate_series(1, 20000)")

        assert pages_of_a_claim(connection) < 1.5 * few + 50


@pytest.mark.parametrize("verdict", ["succeeded", "retry"])
def test_a_finish_that_was_planned_on_an_empty_table_never_reads_a_long_queue(
    fresh_database: Any, verdict: str
) -> None:
    """A worker plans once, when it starts; the table may be empty then, and PostgreSQL takes a scan of it for cheap."""
    insert = "INSERT INTO procrastinate_jobs (queue_name, task_name, noted) SELECT 'email', 't', false"
    finish = "SELECT youtility_tasks_finish_v2(%s, 'h', %s::jsonb)"
    with psycopg.connect(fresh_database.url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE procrastinate_jobs")
        worker = connection.execute("SELECT youtility_tasks_register_v1('h', 1, 1, 'email', 10)").fetchall()[0][0]

        def pages_of_a_finish() -> int:
            claimed = connection.execute(
                "SELECT id, claim_number FROM youtility_tasks_claim_v2('email', %s, 10)", [worker]
            ).fetchall()
            ended = [
                {"id": job, "claim_number": claim, "verdict": verdict, "outcome": verdict, "delay_s": 9}
                for job, claim in claimed
            ]
            assert len(ended) == 10
            return pages(connection, finish, [worker, json.dumps(ended)])

        connection.execute(insert + " FROM generate_series(1, 30)")
        pages_of_a_finish()
        few = pages_of_a_finish()

        connection.execute(insert + " FROM generate_series(1, 30000)")

        assert pages_of_a_finish() < 1.5 * few + 100


@pytest.mark.parametrize("how", ["leaves", "is rescued"])
def test_the_end_of_a_worker_never_reads_a_long_queue(fresh_database: Any, how: str) -> None:
    """The rows of jobs name it by a foreign key, and their table is asked for it as it goes."""
    insert = "INSERT INTO procrastinate_jobs (queue_name, task_name, noted) SELECT 'email', 't', false"
    with psycopg.connect(fresh_database.url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE procrastinate_jobs")

        def pages_of_an_end() -> int:
            ((worker,),) = connection.execute("SELECT youtility_tasks_register_v1('h', 1, 1, 'email', 10)").fetchall()
            if how == "leaves":
                return pages(connection, "SELECT youtility_tasks_unregister_v1(%s)", [worker])
            connection.execute("UPDATE procrastinate_workers SET last_heartbeat = 'epoch' WHERE id = %s", [worker])
            return pages(connection, "SELECT * FROM youtility_tasks_rescue_v1(10, 3)", [])

        def pages_of_ends() -> int:
            return min(pages_of_an_end() for _ in range(4))

        few = pages_of_ends()
        connection.execute(insert + " FROM generate_series(1, 30000)")
        assert pages_of_ends() < few + 50
        connection.execute("DROP INDEX youtility_tasks_jobs_worker")
        assert pages_of_ends() > few + 50


@pytest.mark.parametrize("is_bounded", [True, False])
def test_statements_that_nobody_waits_for_any_more_end_by_themselves(crew: Crew, is_bounded: bool) -> None:
    """Somebody holds a job's row for long: each try to finish it was a session of the server that stayed, and kept its locks."""
    mutant = Mutant("youtility_tasks.workers.link", "Link._open", 'queries.statement("bound_statements")', '"SELECT 1"')
    crew.start(threads=1, mutant=None if is_bounded else mutant, statement_deadline_s=0.4, reconnect_cap_s=0.2)
    gate = crew.gate()
    job_id = crew.queue.put("waits", until=str(gate), name="a")
    crew.began(1)
    with psycopg.connect(crew.queue.url) as hog:
        hog.execute("SELECT 1 FROM procrastinate_jobs WHERE id = %s FOR UPDATE", [job_id])
        gate.touch()
        log = crew.supervisors[0].log
        until(lambda: log.read_text().count("queue out of reach") >= 6, why="the finish is tried again and again")
        ((waiting,),) = crew.queue.rows(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        assert (waiting <= 2) == is_bounded

    assert crew.queue.ending(job_id)["status"] == "succeeded"
