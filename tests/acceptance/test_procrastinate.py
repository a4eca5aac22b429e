"""procrastinate's own API and worker go on working on the same tables, beside ours."""

from __future__ import annotations

from typing import Any

import procrastinate
import psycopg
import pytest
from procrastinate import jobs as procrastinate_jobs

from tests.acceptance import stock
from tests.acceptance.crew import Crew, until


@pytest.fixture
def app(crew: Crew) -> Any:
    """procrastinate's App on the crew's database, knowing nothing of Django or of us."""
    app = procrastinate.App(connector=procrastinate.SyncPsycopgConnector(conninfo=crew.queue.url))
    crew.queue.rows(
        "INSERT INTO youtility_tasks_tenant (id, name, is_active, weight, created_at) VALUES (7, 'Acme', true, 1, now())"
    )
    with app.open():
        yield app


def test_jobs_deferred_by_procrastinate_run_in_our_worker(crew: Crew, app: Any) -> None:
    crew.start()

    job_id = app.configure_task("adds", queue="maintenance").defer(a=1, b=2)
    many = app.configure_task("adds", queue="maintenance", priority=7).batch_defer(
        *({"a": n, "b": 0} for n in range(20))
    )

    assert crew.queue.ending(job_id)["result"] == 3
    assert [crew.queue.ending(each)["result"] for each in many] == list(range(20))
    assert crew.queue.statuses() == {}


def test_procrastinate_cancels_a_waiting_job_and_nobody_runs_it(crew: Crew, app: Any) -> None:
    waiting = crew.queue.put("adds", a=1, b=1)
    assert app.job_manager.cancel_job_by_id(waiting) is True

    crew.start()
    crew.queue.ending(crew.queue.put("adds", a=2, b=2))

    assert app.job_manager.get_job_status(waiting) == procrastinate_jobs.Status.CANCELLED
    assert [entry["sum"] for entry in crew.diary("ran")] == [4]


@pytest.mark.parametrize("task_name", ["waits", "waits_async"])
def test_procrastinate_aborts_a_running_job_of_ours(crew: Crew, app: Any, task_name: str) -> None:
    crew.start()
    job_id = crew.queue.put(task_name)
    crew.began()

    assert app.job_manager.cancel_job_by_id(job_id, abort=True) is True

    assert crew.queue.ending(job_id)["status"] == "aborted"


def test_procrastinate_retries_a_dead_letter_of_ours(crew: Crew, app: Any) -> None:
    crew.start()
    job_id = crew.queue.put("refuses")
    crew.queue.ending(job_id)
    ((now,),) = crew.queue.rows("SELECT now()")

    app.job_manager.retry_job_by_id(job_id, now)

    until(lambda: crew.queue.attempts(job_id) == ["bad_input", "bad_input"], why="it has run again")
    until(lambda: crew.queue.statuses()[job_id] == "failed", why="it is a dead letter again")


def test_procrastinate_sees_its_jobs_queues_and_locks(crew: Crew, app: Any) -> None:
    crew.queue.put("adds", a=1, b=1, _lock="l", _queueing_lock="q")

    (job,) = app.job_manager.list_jobs()

    assert (job.task_name, job.lock, job.queueing_lock, job.status) == ("adds", "l", "q", "todo")
    assert [queue["name"] for queue in app.job_manager.list_queues()] == ["maintenance"]
    assert [lock["name"] for lock in app.job_manager.list_locks()] == ["l"]
    with pytest.raises(procrastinate.exceptions.AlreadyEnqueued):
        app.configure_task("adds", queue="maintenance", queueing_lock="q").defer(a=1, b=1)


# -- its worker


def test_a_stock_worker_runs_our_tasks_in_their_tenant_with_their_policy(crew: Crew, app: Any) -> None:
    told = crew.queue.put("tells_tenant", tenant_id=7)
    retried = crew.queue.put("always_fails")
    refused = crew.queue.put("refuses")
    context = crew.queue.put("tells_context", tenant_id=7)
    for task_name in ("adds", "adds_async"):
        crew.queue.put(task_name, a=1, b=2)

    stock.run_worker_once(crew)

    # What the task enqueued inherited its tenant, and ran as well.
    assert [entry["tenant"] for entry in crew.diary("tenant")] == [7, 7]
    assert sorted(entry["task"] for entry in crew.diary("ran", sum=3)) == ["adds", "adds_async"]
    assert len(crew.diary("ran", task="always_fails")) >= 1
    statuses = crew.queue.statuses()
    assert (statuses[told], statuses[context], statuses[refused]) == ("succeeded", "succeeded", "failed")
    assert crew.queue.rows("SELECT attempts FROM procrastinate_jobs WHERE id = %s", refused) == [(1,)]
    assert crew.queue.rows("SELECT attempts >= 1 FROM procrastinate_jobs WHERE id = %s", retried) == [(True,)]


def test_a_stock_worker_and_ours_share_a_queue_and_run_each_job_once(crew: Crew, app: Any) -> None:
    crew.start()
    beside = stock.start_worker(crew, "--concurrency", "4")
    try:
        until(lambda: crew.queue.rows("SELECT count(*) = 2 FROM procrastinate_workers")[0][0], why="both are there")
        jobs = [crew.queue.put("adds", a=n, b=0) for n in range(100)]
        until(
            lambda: crew.queue.rows("SELECT count(*) = 0 FROM procrastinate_jobs WHERE status IN ('todo', 'doing')")[0][
                0
            ],
            why="all have run",
        )
    finally:
        beside.terminate()
        beside.communicate(timeout=30)

    assert sorted(entry["sum"] for entry in crew.diary("ran")) == list(range(100))
    ours = crew.queue.rows("SELECT count(*) FROM youtility_tasks_history WHERE is_final")[0][0]
    theirs = list(crew.queue.statuses().values()).count("succeeded")
    assert ours + theirs == len(jobs)


def test_a_stock_worker_respects_a_lock_that_ours_holds(crew: Crew, app: Any) -> None:
    crew.start()
    gate = crew.gate()
    held = crew.queue.put("waits", until=str(gate), _lock="a")
    crew.began()
    second = crew.queue.put("adds", a=1, b=1, _lock="a", queue="email")

    worker = stock.start_worker(crew, "--one-shot", "--queues", "email")
    worker.communicate(timeout=60)

    assert crew.queue.statuses() == {held: "doing", second: "todo"}
    gate.touch()
    crew.queue.ending(held)
    worker = stock.start_worker(crew, "--one-shot", "--queues", "email")
    worker.communicate(timeout=60)
    assert crew.queue.statuses()[second] == "succeeded"


# -- the same choice


def stocks_choice(connection: psycopg.Connection[Any]) -> int | None:
    (row,) = connection.execute("SELECT (procrastinate_fetch_job_v2(ARRAY['maintenance'], NULL)).id").fetchall()
    return row[0]


def our_choice(connection: psycopg.Connection[Any], worker_id: int) -> int | None:
    found = connection.execute("SELECT id FROM youtility_tasks_claim_v2('maintenance', %s, 1)", [worker_id]).fetchall()
    return found[0][0] if found else None


LATER, EARLIER = "2100-01-01", "2020-01-01"
SCENES: list[list[dict[str, Any]]] = [
    [{}, {}],
    [{"_priority": 1}, {"_priority": 9}],
    [{"_lock": "a"}, {"_lock": "a"}, {}],
    [{"_lock": "a", "_status": "doing"}, {"_lock": "a"}, {"_lock": "b"}],
    [{"_lock": "a", "_scheduled_at": LATER}, {"_lock": "a"}],
    [{"_lock": "a", "_scheduled_at": LATER, "_priority": 1}, {"_lock": "a", "_priority": 9}],
    [{"_lock": "a", "_priority": 1}, {"_lock": "a", "_priority": 9, "_scheduled_at": LATER}],
    [{"_lock": "a", "queue": "email"}, {"_lock": "a"}, {"_priority": 1}],
    [{"_scheduled_at": LATER}, {"_scheduled_at": EARLIER}, {}],
    [{"_priority": 1, "_scheduled_at": EARLIER}, {"_priority": 9}],
    [{"_priority": 9, "_scheduled_at": EARLIER}, {"_priority": 1}],
    [{"queue": "email"}],
    [{"_lock": "a", "_status": "failed"}, {"_lock": "a"}],
]


@pytest.mark.parametrize("scene", SCENES, ids=str)
def test_our_claim_takes_the_job_that_procrastinate_would_take(shared: Crew, scene: list[dict[str, Any]]) -> None:
    with psycopg.connect(shared.queue.url) as connection:
        worker_id = connection.execute("SELECT worker_id FROM procrastinate_register_worker_v1()").fetchall()[0][0]
        connection.execute("DELETE FROM procrastinate_jobs")
        for columns in scene:
            queue = columns.get("queue", "maintenance")
            given = {key[1:]: value for key, value in columns.items() if key.startswith("_")}
            names = ", ".join(["queue_name", "task_name", "args", *given])
            places = ", ".join(["%s"] * (3 + len(given)))
            connection.execute(
                f"INSERT INTO procrastinate_jobs ({names}) VALUES ({places})", [queue, "t", "{}", *given.values()]
            )
        chosen = []
        for choose in (stocks_choice, lambda c: our_choice(c, worker_id)):
            order = []
            with connection.transaction(force_rollback=True):
                while (job_id := choose(connection)) is not None:
                    order.append(job_id)
            chosen.append(order)
        connection.rollback()

    assert chosen[0] == chosen[1]
