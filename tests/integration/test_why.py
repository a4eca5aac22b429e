"""Why a job does not run: each cause has its own answer, and the one that hides the others is told."""

from __future__ import annotations

import datetime as dt
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.utils import timezone
from procrastinate.contrib.django import app

from tests.integration.desk import Desk, execute
from tests.integration.mutants import must_catch
from youtility_tasks import Task, audit, controls, queries, queues, registry, tenant
from youtility_tasks.enqueue import enqueue_many
from youtility_tasks.errors import JobNotFound
from youtility_tasks.models import Job, TaskWorker, Tenant
from youtility_tasks.why import COUNTED_UP_TO, Because, Why, why

BEFORE = "youtility_tasks_before_v1"


@pytest.fixture
def served(desk: Desk) -> Desk:
    """A live worker of the queue, with four slots."""
    TaskWorker.objects.filter(pk=desk.id).update(status="running", slots=4)
    return desk


def put(task: Task, n: int = 1, *, tenant_id: int | None = None, **options: Any) -> list[int]:
    chosen = task.using(**options)
    if tenant_id is None:
        return [int(each.id) for each in enqueue_many(chosen, ({} for _ in range(n)))]
    with tenant(tenant_id):
        return [int(each.id) for each in enqueue_many(chosen, ({} for _ in range(n)))]


def in_seconds(found: Why) -> float:
    assert found.expected_start_at is not None
    return (found.expected_start_at - timezone.now()).total_seconds()


def crowd(n: int, *, tenant_id: int, priority: int = 6, queue: str = queues.MAINTENANCE) -> None:
    execute(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, args, tenant_id, priority, noted)"
        " SELECT %s, 'add', '{}', %s, %s, false FROM generate_series(1, %s)",
        queue,
        tenant_id,
        priority,
        n,
    )


# -- it does not wait


def test_it_runs(served: Desk, sweep_task: Task) -> None:
    (job_id,) = put(sweep_task)
    served.claim(1)

    found = why(job_id)

    assert found.because == Because.RUNS
    assert found.sentence.startswith(f"It runs in worker {served.id} (test:1) since ")
    assert found.facts["worker_id"] == served.id
    served.fall_silent()
    TaskWorker.objects.update(heartbeat_at=timezone.now() - dt.timedelta(minutes=5))
    assert "has been silent for 5 min: any live worker takes the job over" in why(job_id).sentence


def test_it_has_ended_or_is_a_dead_letter(served: Desk, sweep_task: Task) -> None:
    good, bad = put(sweep_task, 2)
    held = {each.id: each for each in served.claim(2)}
    served.finish(held[good], "succeeded")
    served.finish(held[bad], "failed", error_class="builtins.ValueError", error_message="no such\nfloor")

    assert (why(good).because, why(bad).because) == (Because.ENDED, Because.DEAD_LETTER)
    assert why(good).sentence.startswith("It has ended: succeeded at 2")
    assert f"(ValueError: no such) and is a dead letter: `retry {bad}`" in why(bad).sentence


def test_nobody_has_it_or_another_tenant_has(served: Desk, add_task: Task, acme: int, other_tenant: int) -> None:
    (job_id,) = put(add_task, tenant_id=acme)

    for ask in (lambda: why(2**62),):
        with pytest.raises(JobNotFound):
            ask()
    with tenant(other_tenant), pytest.raises(JobNotFound):
        why(job_id)
    with tenant(acme):
        assert why(job_id).because == Because.READY


# -- it waits


def test_its_task_is_unknown(served: Desk, sweep_task: Task) -> None:
    (job_id,) = put(sweep_task)
    registry.forget("sweep")
    app.tasks.pop("sweep")

    found = why(job_id)

    assert found.because == Because.UNKNOWN_TASK
    assert "No code here declares its task 'sweep'" in found.sentence


def test_it_is_scheduled_or_waits_for_its_next_attempt(served: Desk, sweep_task: Task) -> None:
    (later,) = put(sweep_task, run_after=timezone.now() + dt.timedelta(hours=3))
    (again,) = put(sweep_task)
    served.finish(served.take(), "retry", delay_s=90)

    assert why(later).because == Because.SCHEDULED
    assert why(later).sentence.endswith(", in 3 h.")
    assert in_seconds(why(later)) == pytest.approx(3 * 3600, abs=5)
    assert why(again).sentence.startswith("It waits for attempt 2, which is scheduled for 2")
    assert why(again).facts["in_s"] == pytest.approx(90, abs=5)


def test_its_lock_is_held_by_a_job_or_wanted_by_one_before_it(served: Desk, locked_task: Task) -> None:
    first, second, third = (int(locked_task.enqueue(key="floor 4").id) for _ in range(3))
    assert why(first).because == Because.READY

    assert why(third).sentence == (
        f"It waits for its lock '0:floor 4': job {first} (one_at_a_time) is the first of those that wait for it."
    )
    held = served.take()
    found = why(second)
    assert (held.id, found.because, found.facts["job_id"]) == (first, Because.LOCK, first)
    assert f"job {first} (one_at_a_time) holds it, which has run for" in found.sentence

    served.finish(held, "retry", delay_s=3600)
    assert "is the first of those that wait for it, and is scheduled for 2" in why(second).sentence


def test_a_tenant_is_not_told_of_anothers_job_at_a_lock(
    served: Desk, add_task: Task, acme: int, other_tenant: int
) -> None:
    """Only procrastinate's own defer gives two tenants one lock."""
    (first,), (second,) = put(add_task, tenant_id=acme), put(add_task, tenant_id=other_tenant)
    execute("UPDATE procrastinate_jobs SET lock = 'shared'")

    with tenant(other_tenant):
        found = why(second)

    assert found.sentence == (
        "It waits for its lock 'shared': a job of another tenant is the first of those that wait for it."
    )
    assert first not in found.facts.values()


def test_a_control_keeps_it(served: Desk, add_task: Task, acme: int, other_tenant: int) -> None:
    controls.limit(tenant=acme, queue=queues.MAINTENANCE, running=2)
    *_, last = put(add_task, 5, tenant_id=acme)
    served.claim(10)

    found = why(last)
    assert found.because == Because.RUNNING_LIMIT
    assert found.sentence == "It waits for the limit of tenant 7 in queue maintenance: 2 of 2 run."
    assert (found.facts["running"], found.facts["max_running"], found.facts["control"]) == (
        2,
        2,
        "tenant 7 in queue maintenance",
    )
    (other,) = put(add_task, tenant_id=other_tenant)
    assert why(other).because == Because.READY

    with audit.acting("ada"):
        controls.pause(queue=queues.MAINTENANCE, minutes=30, reason="the lift is stuck")
    for job_id in (last, other):
        found = why(job_id)
        assert found.because == Because.PAUSED
        assert found.sentence.startswith("It waits: queue maintenance is paused by ada since 2")
        assert ": the lift is stuck. It resumes 2" in found.sentence
    assert in_seconds(why(other)) == pytest.approx(1800, abs=5)
    assert why(last).expected_start_at is None, "the other limit has no end"
    assert why(last).sentence.endswith("So do: tenant 7 in queue maintenance.")
    controls.pause(queue=queues.MAINTENANCE)
    assert why(other).sentence.endswith("It stays so until somebody resumes it.")
    assert why(other).expected_start_at is None


def test_a_task_at_its_limit_or_rate_keeps_it(served: Desk, sweep_task: Task) -> None:
    controls.limit(task="sweep", running=1)
    held, second, third = put(sweep_task, 3)
    served.claim(10)
    assert why(second).sentence == "It waits for the limit of task sweep: 1 of 1 runs."
    assert (
        why(third).sentence == "It waits for the limit of task sweep: 1 of 1 runs. 1 job is kept by it before this one."
    )

    controls.limit(task="sweep", running=None, rate_per_s=0.5)
    assert [each.id for each in served.claim(10)] == [second]
    found = why(third)
    assert found.because == Because.RATE_LIMIT
    assert found.sentence.startswith("It waits for the rate of task sweep (0.5 a second): next start in ")
    assert in_seconds(found) == pytest.approx(2, abs=0.5)
    assert held not in (second, third)


def test_nobody_serves_its_queue(desk: Desk, sweep_task: Task) -> None:
    (job_id,) = put(sweep_task)
    TaskWorker.objects.all().delete()
    assert why(job_id).sentence == (
        "No worker serves its queue maintenance; none has been seen. Start `run_postgresql_worker --queues maintenance`."
    )
    TaskWorker.objects.create(
        pk=10**6, host="h", pid=1, queue_name=queues.MAINTENANCE, status="stopped", heartbeat_at=timezone.now()
    )
    assert why(job_id).because == Because.NO_WORKER
    assert "the last one was seen at 2" in why(job_id).sentence
    TaskWorker.objects.update(status="draining")
    assert why(job_id).because == Because.NO_WORKER
    TaskWorker.objects.update(status="running")
    assert why(job_id).because == Because.READY


def test_others_go_before_it(served: Desk, add_task: Task, sweep_task: Task, acme: int, other_tenant: int) -> None:
    """More urgent ones of anybody, its own tenant's, and of others as many as their weight lets go before it."""

    def check() -> None:
        Tenant.objects.filter(pk=other_tenant).update(weight=2)
        put(sweep_task, 4)
        served.claim(4)
        *_, job_id = put(add_task, 3, tenant_id=acme)
        put(add_task, 50, tenant_id=other_tenant)
        put(add_task, 5, tenant_id=other_tenant, priority=1)
        put(add_task, 2, tenant_id=acme, priority=1, run_after=timezone.now() - dt.timedelta(minutes=1))
        put(add_task, 9, tenant_id=acme, priority=9)
        put(add_task, 9, tenant_id=acme, priority=1, queue_name=queues.EMAIL)
        put(add_task, 9, tenant_id=acme, priority=1, run_after=timezone.now() + dt.timedelta(hours=1))

        found = why(job_id)
        assert found.because == Because.BUSY
        assert {name: found.facts[name] for name in ("more_urgent", "own_tenant", "other_tenants_turns", "before")} == {
            "more_urgent": 7,
            "own_tenant": 2,
            "other_tenants_turns": 6,
            "before": 15,
        }
        assert found.sentence.startswith(
            "The workers of maintenance are busy (4 slots): 15 jobs before it (7 more urgent, 2 of its own tenant, 6 of 1 "
            "other tenant in turn)."
        )
        assert found.expected_start_at is None, "no history tells"

    must_catch(check, BEFORE, "j.id < p_id", "true")
    must_catch(check, BEFORE, "* t.share", "")
    must_catch(check, BEFORE, "d WHERE -d.priority < -p_priority", "d WHERE false")


def test_the_last_hour_tells_when_it_may_start(served: Desk, add_task: Task, acme: int) -> None:
    """Of tasks that run half a second in four slots, eight start each second."""
    TaskWorker.objects.update(slots=4)
    put(add_task, 40, tenant_id=acme)
    for each in served.claim(40):
        served.finish(each, "succeeded", run_ms=500, wait_ms=1)
    *_, job_id = put(add_task, 80, tenant_id=acme)
    served.claim(4)

    found = why(job_id)

    assert found.facts["before"] == 75
    assert in_seconds(found) == pytest.approx(76 / 8, rel=0.1)
    assert "It may start 2" in found.sentence and "in about 9." in found.sentence


def test_a_crowd_before_it_is_counted_so_far_and_no_further(served: Desk, add_task: Task, acme: int) -> None:
    crowd(COUNTED_UP_TO + 500, tenant_id=acme, priority=9)
    (job_id,) = put(add_task, tenant_id=acme)
    served.claim(4)

    found = why(job_id)

    assert found.facts["more_urgent"] == COUNTED_UP_TO
    assert "more than 10,000 jobs before it (more than 10,000 more urgent)" in found.sentence
    assert found.expected_start_at is None


@pytest.mark.parametrize("analyzed", [False, True])
def test_beside_a_crowd_nothing_but_what_is_counted_is_read(fresh_database: Any, analyzed: bool) -> None:
    """Whatever the planner believes: without an order to keep it read the whole queue to count 500."""
    with psycopg.connect(fresh_database.url) as session:
        session.execute(
            "INSERT INTO youtility_tasks_queuecontrol (id, queue_name, task_name, burst, is_paused, reason, changed_by, paused_by)"
            " VALUES (1, 'email', 'add', 1, true, '', '', '')"
        )
        session.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, args, tenant_id, priority, noted, parked_by, lock, scheduled_at)"
            " SELECT 'email', 'add', '{}', n % 3, 6 + n % 2, false, (n % 7 = 0)::integer, CASE WHEN n % 10 = 0 THEN n::text END,"
            "        CASE WHEN n % 10 = 1 THEN now() + (n - 30000) * interval '1 second' END FROM generate_series(1, 60000) n"
        )
        session.commit()
        if analyzed:
            session.execute("ANALYZE procrastinate_jobs")
            session.commit()
        place = {"priority": 6, "tenant_id": 1, "job_id": 60_001, "most": 500, "queue_name": "email"}

        def so_far() -> int:
            ((n,),) = session.execute(
                "SELECT pg_stat_get_xact_tuples_returned(c.oid) + sum(pg_stat_get_xact_tuples_returned(i.indexrelid))"
                "  FROM pg_class c JOIN pg_index i ON i.indrelid = c.oid WHERE c.relname = 'procrastinate_jobs' GROUP BY c.oid"
            ).fetchall()
            return int(n)

        def read_by(name: str, **parameters: object) -> int:
            before = so_far()  # of former transactions, too: the session hands its counts on once a second
            session.execute(queries.statement(name), parameters)
            return so_far() - before

        assert read_by("why_before", **place) < 4_000
        assert read_by("why_controls", **place, task_name="add", parked_by=1) < 4_000
        assert read_by("parked", most=500) < 1_500
        session.execute(
            "CREATE OR REPLACE FUNCTION"
            + definition_of(session, BEFORE).replace(
                "j.id < p_id ORDER BY -j.priority, j.id LIMIT p_most", "j.id < p_id LIMIT 100000"
            )
        )
        assert read_by("why_before", **place) > 4_000, "the count of what is read counts"


def definition_of(session: psycopg.Connection[Any], function: str) -> str:
    ((text,),) = session.execute(
        "SELECT pg_get_functiondef(oid) FROM pg_proc WHERE proname = %s", [function]
    ).fetchall()
    return str(text).removeprefix("CREATE OR REPLACE FUNCTION")


def test_the_first_reason_hides_the_next(desk: Desk, locked_task: Task) -> None:
    """Lifted one by one: each is told in its turn."""
    TaskWorker.objects.all().delete()
    holder, job_id = (int(locked_task.using().enqueue(key="k").id) for _ in range(2))
    Job.objects.filter(pk=job_id).update(scheduled_at=timezone.now() + dt.timedelta(hours=1))
    controls.pause(task="one_at_a_time")

    told = [why(job_id).because]
    Job.objects.filter(pk=job_id).update(scheduled_at=None)
    told.append(why(job_id).because)
    Job.objects.filter(pk=holder).delete()
    told.append(why(job_id).because)
    controls.resume(task="one_at_a_time")
    told.append(why(job_id).because)
    TaskWorker.objects.create(pk=10**6, host="h", pid=1, queue_name=queues.MAINTENANCE, status="running")
    told.append(why(job_id).because)

    assert told == [Because.SCHEDULED, Because.LOCK, Because.PAUSED, Because.NO_WORKER, Because.READY]
    assert connection.in_atomic_block
