"""Limits, rates, pauses and turns as real workers keep them, by what their tasks wrote down themselves."""

from __future__ import annotations

import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.acceptance.app.mutants import Mutant
from tests.acceptance.clerk import Clerk
from tests.acceptance.crew import Crew, Queue, until
from youtility_tasks import queries

WORKERS, THREADS = 4, 4
ACME, OTHER = 7, 8


@pytest.fixture(scope="module")
def hall_of_workers(cluster: Any, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crew]:
    """Four workers of the queue maintenance and one of email, with four slots each."""
    name = cluster.copy(template)
    url = cluster.url(name)
    made = Crew(Queue(url), {**os.environ, "DATABASE_URL": url}, tmp_path_factory.mktemp("hall"))
    made.queue.rows(
        "INSERT INTO youtility_tasks_tenant (id, name, is_active, weight, created_at)"
        " VALUES (7, 'Acme', true, 1, now()), (8, 'Other', true, 1, now())"
    )
    patient: dict[str, Any] = {
        "lease_s": 30.0,
        "heartbeat_interval_s": 1.0,
    }  # nothing dies here, however busy the machine
    for _ in range(WORKERS):
        made.start(threads=THREADS, ready=False, **patient)
    made.start(queues=("email",), threads=THREADS, ready=False, **patient)
    until(lambda: len(made.queue.workers()) == WORKERS + 1, why="all workers are registered")
    yield made
    made.close()
    cluster.drop(name)


@pytest.fixture
def hall(hall_of_workers: Crew) -> Iterator[Crew]:
    """The hall without limits or jobs of another test."""
    yield hall_of_workers
    queue = hall_of_workers.queue
    queue.rows("DELETE FROM procrastinate_jobs WHERE status = 'todo'")
    queue.rows("DELETE FROM youtility_tasks_queuecontrol")
    queue.rows("UPDATE youtility_tasks_tenant SET weight = 1")
    until(lambda: queue.rows("SELECT 1 FROM procrastinate_jobs") == [], why="what ran has ended")


@pytest.fixture(scope="module")
def manage(hall_of_workers: Crew) -> Iterator[Callable[..., Any]]:
    """`manage("pause", "email")` is `manage_task_queue pause email --json`."""
    clerk = Clerk(hall_of_workers)
    yield clerk.do
    clerk.close()


def put(
    hall: Crew, n: int, task: str = "takes", *, tenant_id: int = 0, queue: str = "maintenance", **args: Any
) -> None:
    """Many jobs at once, and the notification that the application would have sent."""
    hall.queue.rows(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, args, tenant_id, priority, noted)"
        " SELECT %s, %s, %s, %s, 6, false FROM generate_series(1, %s)",
        queue, task, json.dumps(args), tenant_id, n,
    )  # fmt: skip
    hall.queue.rows("SELECT pg_notify('procrastinate_queue_v1#' || %s, '{}')", queue)


def begins(hall: Crew, name: str, **match: Any) -> list[float]:
    return sorted(each["at"] for each in hall.diary("begin", name=name, **match))


def at_once(hall: Crew, name: str, *, after: float = 0, before: float = float("inf")) -> int:
    """The most that ran at the same moment, of those that ran between two instants."""
    steps = sorted((e["at"], 1 if e["event"] == "begin" else -1) for e in hall.diary(name=name))
    running = most = 0
    for at, step in steps:
        running += step
        if after <= at <= before:
            most = max(most, running)
    return most


def all_end(hall: Crew, name: str, n: int, *, within_s: float = 20) -> None:
    until(lambda: len(hall.diary("end", name=name)) >= n, within_s=within_s, why=f"{n} have ended")


def test_of_a_task_limited_to_five_never_six_run_in_four_workers(hall: Crew, manage: Callable[..., Any]) -> None:
    manage("limits", "set", "--task", "waits", "--running", 5)
    gate = hall.gate("five")

    put(hall, 200, "waits", name="five", until=str(gate))
    began = hall.began(5, name="five")
    gate.touch()
    all_end(hall, "five", 200)

    assert len({each["pid"] for each in began[:5]}) > 1, "five are more than the slots of one worker"
    assert at_once(hall, "five") == 5


def test_a_rate_is_kept_to_two_per_cent_by_all_workers_together(hall: Crew, manage: Callable[..., Any]) -> None:
    manage("limits", "set", "--queue", "maintenance", "--task", "takes", "--rate", "20/s")

    put(hall, 260, name="rate")
    started = until(lambda: len(begins(hall, "rate")) > 205 and begins(hall, "rate"), within_s=20)
    assert isinstance(started, list)

    in_ten_seconds = [at for at in started if started[0] < at <= started[0] + 10]
    assert 196 <= len(in_ten_seconds) <= 204
    late = [started[n + 20] - started[n] for n in range(len(started) - 20)]
    assert min(late) > 0.7, "no more than a quarter of a second is made up for"


def test_a_pause_takes_effect_at_once_what_runs_goes_on_and_it_resumes_by_itself(
    hall: Crew, manage: Callable[..., Any]
) -> None:
    put(hall, 1, "waits", name="long", until=str(hall.gate("pause")))
    put(hall, 3_000, name="pause", s=0.03)
    hall.began(20, name="pause")
    hall.began(1, name="long")

    manage("pause", "maintenance", "--minutes", 0.03, "--reason", "a test")
    paused_at = time.monotonic()
    until(lambda: time.monotonic() > paused_at + 1)
    hall.gate("pause").touch()
    until(lambda: hall.diary("end", name="long"), within_s=5, why="what runs goes on")
    before = begins(hall, "pause")
    assert len(before) < 3_000
    resumed_at = min(until(lambda: [at for at in begins(hall, "pause") if at > before[-1] + 0.5], within_s=10))

    sys.stdout.write(f"paused after {before[-1] - paused_at:.3f} s, resumed after {resumed_at - paused_at:.3f} s\n")
    assert before[-1] < paused_at + 1, "effective within a second"
    assert resumed_at - paused_at == pytest.approx(1.8, abs=0.2)


@pytest.mark.parametrize(
    "mutant", [None, Mutant("youtility_tasks.workers.children", "Children.recall", "if child.jobs", "if False")]
)
def test_what_was_claimed_ahead_of_a_pause_is_called_back(crew: Crew, mutant: Mutant | None) -> None:
    """The worker believed these jobs to be as short as those before, and holds a hundred of them: ten seconds' work."""
    crew.start(threads=1, mutant=mutant)
    with crew.queue.transaction():
        put(crew, 300, name="short")
        put(crew, 100, name="long", s=0.1)
    crew.began(2, name="long")
    ((held,),) = crew.queue.rows("SELECT count(*) FROM procrastinate_jobs WHERE status = 'doing'")

    with crew.queue.transaction():
        crew.queue.rows(
            "INSERT INTO youtility_tasks_queuecontrol (queue_name, task_name, burst, is_paused, reason, changed_by, paused_by)"
            " VALUES ('maintenance', '', 1, true, '', '', '')"
        )
        crew.queue.rows(queries.statement("notify_controls").replace("%(queue_name)s", "'maintenance'"))
    paused_at = time.monotonic()
    until(lambda: time.monotonic() > paused_at + 1.5)

    assert held > 20
    late = [at for at in begins(crew, "long") if at > paused_at + 1]
    assert late == [] if mutant is None else late != []


def test_a_pause_without_end_stays_until_somebody_resumes(hall: Crew, manage: Callable[..., Any]) -> None:
    manage("pause", "--task", "takes")
    put(hall, 3, name="held")
    put(hall, 3, "takes_for_a_tenant", tenant_id=ACME, name="free")
    all_end(hall, "free", 3, within_s=5)
    assert begins(hall, "held") == []
    (job_id,) = hall.queue.rows("SELECT min(id) FROM procrastinate_jobs WHERE task_name = 'takes'")[0]
    assert manage("why", job_id)["because"] == "paused"

    manage("resume", "--task", "takes")
    resumed_at = time.monotonic()

    assert until(lambda: begins(hall, "held"))[0] < resumed_at + 1


def test_a_limit_that_is_changed_while_jobs_run_is_kept_from_then_on(hall: Crew, manage: Callable[..., Any]) -> None:
    manage("limits", "set", "--task", "takes", "--running", 2)
    # What a worker has claimed ahead counts as running: of short jobs one worker could hold all seven, and run four at a time.
    put(hall, 150, name="changed", s=0.25)
    hall.began(6, name="changed")

    raised_from = time.monotonic()
    manage("limits", "set", "--task", "takes", "--running", 7)
    until(lambda: at_once(hall, "changed", after=raised_from) > 4, within_s=5)
    manage("limits", "set", "--task", "takes", "--running", 3)
    lowered_at = time.monotonic()
    until(lambda: len([at for at in begins(hall, "changed") if at > lowered_at + 0.5]) > 30, within_s=10)

    assert at_once(hall, "changed", before=raised_from) <= 2
    assert at_once(hall, "changed") <= 7
    assert at_once(hall, "changed", after=lowered_at + 0.5) <= 3, "those that ran at the time have ended"


def test_one_job_does_not_wait_for_a_hundred_thousand_of_another_tenant(hall: Crew) -> None:
    put(hall, 100_000, "takes_for_a_tenant", tenant_id=ACME, name="flood", s=0.02)
    hall.began(100, name="flood")

    ((held,),) = hall.queue.rows("SELECT count(*) FROM procrastinate_jobs WHERE status = 'doing'")
    put_at = time.monotonic()
    put(hall, 1, "takes_for_a_tenant", tenant_id=OTHER, name="single")
    (began_at,) = until(lambda: begins(hall, "single"), within_s=10)

    before = [at for at in begins(hall, "flood") if put_at < at < began_at]
    sys.stdout.write(f"waited {began_at - put_at:.3f} s, {len(before)} jobs began before it, {held} were held\n")
    # What a worker has claimed ahead (50 ms of work) goes first, then one more claim of each slot.
    assert len(before) <= held + WORKERS * THREADS + 1
    assert began_at - put_at < 1


def test_weights_are_the_shares_of_busy_workers(hall: Crew) -> None:
    hall.queue.rows("UPDATE youtility_tasks_tenant SET weight = 3 WHERE id = %s", ACME)
    with hall.queue.transaction():
        put(hall, 3_000, "takes_for_a_tenant", tenant_id=ACME, name="shares", s=0.004)
        put(hall, 3_000, "takes_for_a_tenant", tenant_id=OTHER, name="shares", s=0.004)
    entries = until(
        lambda: len(hall.diary("begin", name="shares")) > 2_500 and hall.diary("begin", name="shares"), within_s=20
    )
    assert isinstance(entries, list)

    in_order = sorted(entries, key=lambda each: each["at"])[100:2_100]
    shares = Counter(each["tenant"] for each in in_order)
    assert shares[ACME] / shares[OTHER] == pytest.approx(3, rel=0.05)


def test_a_limit_of_a_tenant_makes_room_for_another_queue_as_a_job_ends(hall: Crew, manage: Callable[..., Any]) -> None:
    """The worker of the other queue hears nothing of that end: it looks again four times a second."""
    manage("limits", "set", "--tenant", ACME, "--running", 1)
    put(hall, 1, "takes_for_a_tenant", tenant_id=ACME, queue="email", name="first", until=str(hall.gate("room")))
    hall.began(1, name="first")
    put(hall, 1, "takes_for_a_tenant", tenant_id=ACME, name="second")
    until(lambda: hall.queue.rows("SELECT 1 FROM procrastinate_jobs WHERE status = 'todo'"))

    hall.gate("room").touch()
    (second,) = until(lambda: begins(hall, "second"), within_s=5)

    (first,) = hall.diary("end", name="first")
    sys.stdout.write(f"released after {second - first['at']:.3f} s\n")
    assert 0 < second - first["at"] < 0.6
