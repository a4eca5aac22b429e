"""Parents that finish at once release their child once; batches of several runs do not kill each other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from tests.acceptance.crew import until
from tests.integration.desk import execute, rows
from youtility_tasks import Task, Workflow, queries, tenant
from youtility_tasks.models import Tenant

ROUNDS = 1_000

PUMP = queries.statement("pump")


class Racer:
    """A worker's session of its own."""

    def __init__(self) -> None:
        self.session = psycopg.connect(queries.conninfo("racer"), autocommit=True)
        self.id = int(self.session.execute("SELECT worker_id FROM procrastinate_register_worker_v1()").fetchone()[0])  # type: ignore[index]
        self.session.execute(
            "INSERT INTO youtility_tasks_taskworker (id, host, pid, queue_name, status, slots, children, token)"
            " VALUES (%s, 'race', 1, 'maintenance', 'running', 1, '[]', '')",
            [self.id],
        )

    def pump(self, ended: list[dict[str, Any]] | None, n: int) -> list[tuple[Any, ...]]:
        given = {
            "worker_id": self.id,
            "host": "race",
            "ended": json.dumps(ended) if ended else None,
            "queue_name": "maintenance",
            "n": n,
        }
        return self.session.execute(PUMP, given).fetchall()

    def claim(self, n: int) -> list[dict[str, Any]]:
        return [
            {"id": row[3], "claim_number": row[8], "verdict": "succeeded", "outcome": "succeeded", "delay_s": 0}
            for row in self.pump(None, n)[:-1]
        ]


@pytest.fixture
def racers(committed: None) -> Iterator[list[Racer]]:
    made = [Racer(), Racer()]
    yield made
    for each in made:
        each.session.close()


@pytest.fixture
def acme_committed(committed: None) -> int:
    return Tenant.objects.create(id=7, name="Acme").pk


def end_at_once(racers: list[Racer], endings: list[list[dict[str, Any]]]) -> None:
    with ThreadPoolExecutor(len(racers)) as pool:
        list(pool.map(lambda racer, its: racer.pump(its, 0), racers, endings))


@pytest.mark.timeout(300)
def test_a_thousand_times_two_parents_finish_at_once_and_release_one_child(
    acme_committed: int, racers: list[Racer], make_task: Task, mail_task: Task
) -> None:
    flow = Workflow("race")
    flow.step(mail_task, after=flow.group(make_task, make_task))

    for _ in range(ROUNDS):
        with tenant(acme_committed):
            flow.start()
        endings = [each.claim(1) for each in racers]
        assert [len(each) for each in endings] == [1, 1]
        end_at_once(racers, endings)
        (child,) = racers[0].claim(10)
        racers[0].pump([child], 0)

    assert rows(
        "SELECT status, count(*), min(open_count), max(open_count) FROM youtility_tasks_taskworkflow GROUP BY 1"
    ) == [("succeeded", ROUNDS, 0, 0)]
    assert rows("SELECT count(*), count(DISTINCT job_id) FROM youtility_tasks_history") == [(3 * ROUNDS, 3 * ROUNDS)]


def _batches_in_opposite_order(racers: list[Racer], acme: int, make_task: Task, mail_task: Task) -> None:
    flow = Workflow("opposite")
    first = flow.group(*[(make_task, {"n": n}) for n in range(40)])
    for n in range(20):
        flow.step(mail_task, n=n, after=[first[n], first[39 - n]])
    for _ in range(15):
        with tenant(acme):
            flow.start()
        endings = [each.claim(20) for each in racers]
        end_at_once(racers, [endings[0][::-1], endings[1]])
        children = racers[0].claim(100)
        assert len(children) == 20
        racers[0].pump(children, 0)


def test_batches_of_one_run_do_not_kill_each_other(
    acme_committed: int, racers: list[Racer], make_task: Task, mail_task: Task
) -> None:
    _batches_in_opposite_order(racers, acme_committed, make_task, mail_task)


def test_without_the_runs_lock_a_count_goes_wrong_or_batches_kill_each_other(
    acme_committed: int, racers: list[Racer], make_task: Task, mail_task: Task
) -> None:
    """What decides whether a child is ready is counted under the lock; counted from a snapshot without it, both parents find the other open."""
    ((lock,),) = rows("SELECT pg_get_functiondef('youtility_tasks_flow_lock_v1'::regproc)")
    ((advance,),) = rows("SELECT pg_get_functiondef('youtility_tasks_flow_advance_v1'::regproc)")
    counted = "pending = c.pending - t.n, met = c.met + t.met"
    assert counted in advance and "FOR NO KEY UPDATE" in lock
    snapshot = (
        "pending = (SELECT count(*) FROM youtility_tasks_taskdependency x JOIN youtility_tasks_workflowstep p ON p.id = x.parent_id"
        " WHERE x.child_id = c.id AND p.status IN ('blocked', 'todo')),"
        " met = (SELECT count(*) FROM youtility_tasks_taskdependency x JOIN youtility_tasks_workflowstep p ON p.id = x.parent_id"
        " WHERE x.child_id = c.id AND p.status = 'succeeded')"
    )
    try:
        execute(advance.replace(counted, snapshot).replace("%", "%%"))
        _children_after(racers, acme_committed, make_task, mail_task, expected=200)  # under the lock even that is right
        execute(lock.replace("FOR NO KEY UPDATE", "").replace("%", "%%"))

        with pytest.raises((AssertionError, psycopg.errors.DeadlockDetected)):
            _children_after(racers, acme_committed, make_task, mail_task, expected=200)
    finally:
        execute(advance.replace("%", "%%"))
        execute(lock.replace("%", "%%"))


def _children_after(racers: list[Racer], acme: int, make_task: Task, mail_task: Task, *, expected: int) -> None:
    flow = Workflow("snapshot")
    first = flow.group(*[(make_task, {"n": n}) for n in range(2)])
    flow.step(mail_task, after=first)
    found = 0
    for _ in range(expected):
        with tenant(acme):
            flow.start()
        endings = [each.claim(1) for each in racers]
        end_at_once(racers, endings)
        children = racers[0].claim(10)
        found += len(children)
        racers[0].pump(children, 0)
    assert found == expected


def test_a_session_that_dies_inside_the_release_leaves_nothing_half_done(
    acme_committed: int, racers: list[Racer], make_task: Task, mail_task: Task
) -> None:
    flow = Workflow("dies inside")
    flow.chain(make_task, mail_task)
    with tenant(acme_committed):
        run = flow.start()
    ending = racers[0].claim(1)
    ((release,),) = rows("SELECT pg_get_functiondef('youtility_tasks_flow_release_v1'::regproc)")
    assert "RETURN ended;" in release
    try:
        execute(release.replace("RETURN ended;", "PERFORM pg_sleep(30); RETURN ended;").replace("%", "%%"))
        with ThreadPoolExecutor(1) as pool:
            dying = pool.submit(racers[0].pump, ending, 0)
            pid = racers[0].session.info.backend_pid
            until(
                lambda: rows("SELECT 1 FROM pg_stat_activity WHERE pid = %s AND wait_event = 'PgSleep'", pid),
                why="it is not inside",
            )
            execute("SELECT pg_terminate_backend(%s)", pid)
            with pytest.raises(psycopg.OperationalError):
                dying.result(10)
    finally:
        execute(release.replace("%", "%%"))
    assert run.statuses() == {"make": "todo", "mail": "blocked"}
    assert rows("SELECT status::text FROM procrastinate_jobs") == [("doing",)]

    # the worker sends its finish again, on another session
    racers[0].session = psycopg.connect(queries.conninfo("racer"), autocommit=True)
    assert racers[0].pump(ending, 0)[-1][0] == [ending[0]["id"]]

    assert run.statuses() == {"make": "succeeded", "mail": "todo"}
    assert len(racers[0].claim(10)) == 1
