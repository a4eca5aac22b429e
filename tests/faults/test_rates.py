"""A worker that has nothing to do, or nothing that it may do, leaves the database in peace."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from tests.acceptance.crew import Crew, until

PRODUCT: dict[str, Any] = {
    "heartbeat_interval_s": 3.0,
    "lease_s": 10.0,
    "rescue_interval_s": 2.0,
    "poll_interval_s": 5.0,
}
WINDOW_S = 3


@pytest.fixture
def rate(crew: Crew, cluster: Any) -> Any:
    """`rate()`: transactions a second in the crew's database over the next few seconds, seen from another database."""
    name = conninfo_to_dict(crew.queue.url)["dbname"]
    others = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND application_name NOT LIKE 'youtility worker%%'"
    )

    def measure() -> float:
        # A session reports what it did late: with its next statement, or when it ends. So the worker's start is reported
        # with its heartbeat, and this test's own session ends before the window begins.
        crew.next_heartbeat("running")
        crew.queue.close()
        with psycopg.connect(cluster.url("postgres"), autocommit=True) as outside:
            until(lambda: outside.execute(others, [name]).fetchone() == (0,), why="only the workers' sessions are left")

            def ask(statement: str) -> Any:
                (row,) = outside.execute(statement, [name]).fetchall()
                return row

            count = "SELECT xact_commit + xact_rollback, clock_timestamp() FROM pg_stat_database WHERE datname = %s"
            before, began = ask(count)
            until(lambda: (ask(count)[1] - began).total_seconds() >= WINDOW_S)
            after, ended = ask(count)
        return float(after - before) / float((ended - began).total_seconds())

    return measure


def test_an_idle_worker_sends_about_one_statement_a_second(crew: Crew, rate: Any) -> None:
    crew.start(**PRODUCT)
    crew.queue.ending(crew.queue.put("adds", a=1, b=1))

    assert rate() < 2


def test_a_worker_whose_slots_are_taken_waits_for_one_and_does_not_ask_again_and_again(crew: Crew, rate: Any) -> None:
    crew.start(threads=1, **PRODUCT)
    gate = crew.gate()
    running = crew.queue.put("waits", until=str(gate))
    crew.began()
    overdue = crew.queue.put("adds", a=1, b=1, _scheduled_at="2020-01-01")

    assert rate() < 2

    gate.touch()
    assert crew.queue.ending(running)["status"] == "succeeded"
    assert crew.queue.ending(overdue, within_s=2)["status"] == "succeeded"


def test_a_worker_whose_only_due_job_waits_for_a_lock_does_not_ask_again_and_again(crew: Crew, rate: Any) -> None:
    crew.start(threads=2, **PRODUCT)
    gate = crew.gate()
    running = crew.queue.put("waits", until=str(gate), _lock="a")
    crew.began()
    overdue = crew.queue.put("adds", a=1, b=1, _lock="a", _scheduled_at="2020-01-01")

    assert rate() < 2

    gate.touch()
    assert crew.queue.ending(running)["status"] == "succeeded"
    assert crew.queue.ending(overdue, within_s=2)["status"] == "succeeded"


def test_a_job_is_taken_when_it_comes_due_and_not_with_the_next_poll(crew: Crew) -> None:
    crew.start(**PRODUCT)
    ((due,),) = crew.queue.rows("SELECT clock_timestamp() + interval '1 second'")

    job_id = crew.queue.put("adds", a=1, b=1, _scheduled_at=due)

    crew.queue.ending(job_id, within_s=4)
    ((late_s,),) = crew.queue.rows(
        "SELECT extract(epoch FROM started_at - scheduled_at) FROM youtility_tasks_history WHERE job_id = %s", job_id
    )
    assert 0 <= late_s < 1


def test_a_job_is_taken_when_it_is_put_and_not_with_the_next_poll(crew: Crew) -> None:
    crew.start(**PRODUCT)

    for _ in range(5):
        crew.queue.ending(crew.queue.put("adds", a=1, b=1), within_s=2)
