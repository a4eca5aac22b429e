"""Two kinds of worker on one queue: nothing lost, nothing run twice, one job of a lock at a time."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from typing import Any

import psutil
import pytest

from tests import warm
from tests.acceptance import stock
from tests.acceptance.crew import REPOSITORY, Crew, until

TABLE = """
CREATE TABLE ran (
    id bigserial PRIMARY KEY, job_id bigint NOT NULL, attempt integer NOT NULL, lock text NOT NULL, worker text NOT NULL,
    pid integer NOT NULL, began_at timestamptz NOT NULL DEFAULT clock_timestamp(), ended_at timestamptz)
"""

OVERLAPS = """
SELECT a.job_id, b.job_id, a.lock FROM ran a JOIN ran b ON a.lock = b.lock AND a.id < b.id
 WHERE a.lock <> '' AND a.began_at < b.ended_at AND b.began_at < a.ended_at
"""


@pytest.fixture
def ran(crew: Crew) -> Crew:
    """The crew, with the table that its tasks write into."""
    crew.queue.rows(TABLE)
    return crew


def put_many(crew: Crew, jobs: list[dict[str, Any]]) -> None:
    with crew.queue.transaction():
        for job in jobs:
            crew.queue.put("leaves_a_row", **job)


def nothing_is_left(crew: Crew) -> bool:
    (waiting,) = crew.queue.rows("SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing')")[0]
    return waiting == 0


def shares(crew: Crew) -> dict[str, int]:
    return dict(crew.queue.rows("SELECT worker, count(*) FROM ran GROUP BY worker"))


def both_are_there(crew: Crew) -> None:
    until(lambda: crew.queue.rows("SELECT count(*) >= 2 FROM procrastinate_workers")[0][0], why="both are there")


def test_two_kinds_of_worker_share_jobs_with_locks_priorities_and_retries(ran: Crew) -> None:
    jobs = []
    for n in range(600):
        lock = f"lock-{n % 12}" if n % 2 else ""
        jobs.append({"lock": lock, "fail_once": n % 10 == 0, "_lock": lock or None, "_priority": n % 10 + 1})
    ran.start()
    with stock.worker(ran, "--concurrency", "4"):
        both_are_there(ran)

        put_many(ran, jobs)

        until(lambda: nothing_is_left(ran), within_s=60, why="all have run")
    attempts = ran.queue.rows("SELECT job_id, array_agg(attempt ORDER BY id) FROM ran GROUP BY job_id")
    assert len(attempts) == 600
    assert sorted(numbers for _, numbers in attempts) == [[1]] * 540 + [[1, 2]] * 60
    assert ran.queue.rows(OVERLAPS) == []
    assert len(shares(ran)) == 2, "both kinds took part"


def test_jobs_of_a_killed_stock_worker_are_rescued_by_ours(ran: Crew) -> None:
    gate = ran.gate()
    with stock.worker(ran, "--concurrency", "4") as process:
        jobs = [ran.queue.put("leaves_a_row", until=str(gate), lock="l", _lock=f"l{n}") for n in range(4)]
        until(lambda: ran.queue.rows("SELECT count(*) = 4 FROM ran")[0][0], why="the stock worker runs all four")
        process.kill()
        process.wait()
    gate.touch()
    ran.queue.rows("UPDATE procrastinate_workers SET last_heartbeat = now() - interval '31 seconds'")

    ran.start()

    for job_id in jobs:
        assert ran.queue.ending(job_id, within_s=60)["status"] == "succeeded"
    assert shares(ran) == {"stock": 4, "ours": 4}


@pytest.mark.parametrize(
    "prune", ["SELECT procrastinate_prune_stalled_workers_v1(0)", "DELETE FROM procrastinate_workers"]
)
def test_jobs_whose_worker_procrastinate_has_pruned_are_rescued(ran: Crew, prune: str) -> None:
    """A stock worker prunes the silent ones when it starts, ours among them: then nobody's lease holds their jobs."""
    gate = ran.gate()
    supervisor = ran.start()
    held = ran.queue.put("leaves_a_row", until=str(gate))
    until(lambda: ran.queue.rows("SELECT 1 FROM ran"), why="ours runs it")
    for process in [*supervisor.family(), supervisor.process]:
        with contextlib.suppress(psutil.NoSuchProcess):  # it has died with one of those before
            process.kill()
    supervisor.wait()
    ran.queue.rows(prune)
    gate.touch()

    ran.start()

    assert ran.queue.ending(held)["status"] == "succeeded"


def test_our_worker_leaves_a_stock_worker_that_lives_its_jobs(ran: Crew) -> None:
    """Its heartbeat is every ten seconds, and ours would call that silence."""
    gate = ran.gate()
    with stock.worker(ran):
        held = ran.queue.put("leaves_a_row", until=str(gate))
        until(lambda: ran.queue.rows("SELECT 1 FROM ran"), why="the stock worker runs it")
        ran.start()

        deadline = time.monotonic() + 13
        until(lambda: ran.queue.statuses()[held] != "doing" or time.monotonic() > deadline, within_s=30)

        assert ran.queue.statuses() == {held: "doing"}
        gate.touch()
        until(lambda: ran.queue.statuses()[held] == "succeeded", why="it ends where it began")
    assert shares(ran) == {"stock": 1}


def test_a_stock_worker_takes_over_what_ours_put_back(ran: Crew) -> None:
    gate = ran.gate()
    supervisor = ran.start(shutdown_grace_s=0.2)
    held = ran.queue.put("leaves_a_row", until=str(gate))
    until(lambda: ran.queue.rows("SELECT 1 FROM ran"), why="ours runs it")
    supervisor.process.terminate()
    assert supervisor.wait() == 0
    gate.touch()

    stock.run_worker_once(ran)

    assert ran.queue.statuses() == {held: "succeeded"}
    assert shares(ran) == {"ours": 1, "stock": 1}


def test_a_queueing_lock_holds_between_two_kinds_of_worker(ran: Crew) -> None:
    """At most one waits: a retry that finds another waiting goes on without the lock, as ours does, and nothing is stuck."""
    ran.start()
    for n in range(10):
        ran.queue.put("leaves_a_row", fail_once=True, _queueing_lock=f"q{n}")
    until(lambda: nothing_is_left(ran), why="all have run")

    with stock.worker(ran):
        for n in range(10):
            ran.queue.put("leaves_a_row", _queueing_lock=f"q{n}")
        until(lambda: nothing_is_left(ran), why="all have run again")

    assert ran.queue.rows("SELECT count(*) FROM ran") == [(30,)]


def test_periodic_jobs_of_a_stock_worker_run_once_a_tick_whoever_takes_them(crew: Crew) -> None:
    crew.start()
    with stock.worker(crew, TEST_PERIODIC="1"), stock.worker(crew, TEST_PERIODIC="1"):
        until(lambda: len(crew.diary("tick")) >= 4, why="it has ticked")

    until(lambda: nothing_is_left(crew), why="all have run")
    ticks = [entry["timestamp"] for entry in crew.diary("tick")]
    deferred = crew.queue.rows("SELECT count(*) FROM procrastinate_periodic_defers")[0][0]
    assert len(ticks) == len(set(ticks)), "no tick ran twice"
    assert len(ticks) == deferred or deferred == 1


# -- tasks declared for procrastinate, in our worker


def result_of(crew: Crew, task_name: str, **args: Any) -> dict[str, Any]:
    return crew.queue.ending(crew.queue.put(task_name, **args))


def test_a_task_declared_for_procrastinate_runs_in_our_worker(crew: Crew) -> None:
    crew.start()

    total = result_of(crew, "their_sum", a=1, b=2)
    by_alias = result_of(crew, "their_total", a=3, b=4)
    product = result_of(crew, "their_product", a=3, b=4)
    context = result_of(crew, "their_context", _lock="l")
    assert result_of(crew, "their_imported")["result"] == "imported"

    assert (total["result"], by_alias["result"], product["result"]) == (3, 7, 12)
    assert [entry["job_id"] for entry in crew.diary("middleware")] == [total["job_id"], by_alias["job_id"]]
    assert context["result"] == {
        "id": context["job_id"], "queue": "maintenance", "lock": "l", "attempts": 0, "task": "their_context",
    }  # fmt: skip


def test_its_retry_strategy_decides_in_our_worker(crew: Crew) -> None:
    crew.start()

    retried = result_of(crew, "their_failure", kind="value")
    refused = result_of(crew, "their_failure", kind="key")

    assert (retried["status"], retried["attempt"], retried["result"]) == ("succeeded", 3, "third time lucky")
    assert (refused["status"], refused["attempt"]) == ("failed", 1)
    assert "KeyError" in refused["error_message"]


@pytest.mark.parametrize("task_name", ["their_abort", "their_abort_async"])
def test_it_is_aborted_in_our_worker(crew: Crew, task_name: str) -> None:
    crew.start()
    job_id = crew.queue.put(task_name)
    crew.began()

    crew.queue.rows("SELECT procrastinate_cancel_job_v1(%s, true, false)", job_id)

    assert crew.queue.ending(job_id)["status"] == "aborted"


def test_any_priority_that_procrastinate_takes_is_run_and_recorded(crew: Crew) -> None:
    jobs = [crew.queue.put("adds", a=n, b=0, _priority=n) for n in (-2_000_000_000, -40_000, 0, 40_000, 2_000_000_000)]

    crew.start(processes=1, threads=1)

    assert [crew.queue.ending(job_id)["status"] for job_id in jobs] == ["succeeded"] * 5
    assert [entry["sum"] for entry in crew.diary("ran")] == [2_000_000_000, 40_000, 0, -40_000, -2_000_000_000]


def test_json_of_any_shape_that_procrastinate_takes_reaches_the_task(crew: Crew) -> None:
    crew.start()
    args = {"a": [1, {"b": None}], "b": ["ü", 1.5]}

    result = result_of(crew, "their_sum", **args)

    assert json.loads(json.dumps(result["result"])) == [1, {"b": None}, "ü", 1.5]


def test_its_own_clean_up_task_runs_in_our_worker(crew: Crew) -> None:
    crew.start()
    dead = crew.queue.put("refuses")
    crew.queue.ending(dead)
    name = "builtin:procrastinate.builtin_tasks.remove_old_jobs"

    ended = result_of(crew, name, max_hours=0, remove_failed=True)

    assert ended["status"] == "succeeded"
    assert crew.queue.statuses() == {}


# -- our hands on what a stock worker does

DEAF_TO_CLOCKS = ("--fetch-job-polling-interval", "3600", "--abort-job-polling-interval", "3600")


def manage(crew: Crew, *words: str) -> str:
    done = warm.run(
        [sys.executable, "-m", "django", "manage_task_queue", *words],
        cwd=REPOSITORY, env=stock.environment(crew), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_job_that_we_enqueue_wakes_a_stock_worker(crew: Crew) -> None:
    with stock.worker(crew, *DEAF_TO_CLOCKS):
        manage(crew, "submit", "adds", "--json-args", '{"a": 1, "b": 1}')
        until(lambda: crew.diary("ran", sum=2), why="the first one may have been there before it listened")

        manage(crew, "submit", "adds", "--json-args", '{"a": 2, "b": 2}')

        until(lambda: crew.diary("ran", sum=4), why="it was woken")


def test_a_job_that_a_stock_worker_runs_is_aborted_by_us(crew: Crew) -> None:
    with stock.worker(crew, *DEAF_TO_CLOCKS):
        job_id = crew.queue.put("their_abort_async")
        crew.began()

        manage(crew, "cancel", str(job_id))

        until(lambda: crew.queue.statuses()[job_id] == "aborted", why="it was told")


def test_a_task_of_ours_that_a_stock_worker_runs_is_told_of_an_abort(crew: Crew) -> None:
    with stock.worker(crew, *DEAF_TO_CLOCKS):
        job_id = crew.queue.put("asks_whether_to_stop")
        crew.began()

        manage(crew, "cancel", str(job_id))

        until(lambda: crew.diary("end", task="asks_whether_to_stop"), why="it has ended as it was asked")
