"""Jobs that a worker claimed ahead: never blamed, never kept from others, never run after the lease."""

from __future__ import annotations

import os
import signal

import psutil
import pytest

from tests.acceptance.crew import Crew, is_alive, until

SHORT = 60
"""No-ops before the case, from which the worker learns that jobs are short."""


def put_many(crew: Crew, n: int, *, first: int = 0) -> list[int]:
    return [crew.queue.put("adds", a=first + number, b=0) for number in range(n)]


def busy_with(crew: Crew, gate: str, behind: int) -> tuple[int, list[int]]:
    """A worker that has learnt that jobs are short and has one long job with others waiting behind it in its child."""
    for job_id in put_many(crew, SHORT):
        crew.queue.ending(job_id)
    with crew.queue.transaction():
        long = crew.queue.put("waits", until=gate, name="long", _priority=9)
        waiting = put_many(crew, behind, first=1_000)
    crew.began(1, name="long")
    return long, waiting


def test_what_waits_behind_a_long_job_goes_back_and_runs_elsewhere(crew: Crew) -> None:
    crew.start(threads=1)
    gate = crew.gate()
    long, waiting = busy_with(crew, str(gate), behind=20)

    crew.start(threads=1)

    for job_id in waiting:
        assert crew.queue.ending(job_id)["attempt"] == 1
    assert crew.queue.statuses() == {long: "doing"}
    gate.touch()
    assert crew.queue.ending(long)["status"] == "succeeded"
    for job_id in (long, *waiting):
        assert crew.queue.attempts(job_id) == ["succeeded"]


def test_a_crash_is_blamed_on_what_ran_and_not_on_what_waited(crew: Crew) -> None:
    crew.start(threads=1, recall_s=60.0)
    gate = crew.gate()
    long, waiting = busy_with(crew, str(gate), behind=20)
    ((held,),) = crew.queue.rows("SELECT count(*) FROM procrastinate_jobs WHERE status = 'doing'")
    assert held > 1  # some of them are in the child, behind the long one

    os.kill(crew.began(1, name="long")[0]["pid"], signal.SIGKILL)
    gate.touch()

    assert crew.queue.ending(long)["status"] == "succeeded"
    assert crew.queue.attempts(long) == ["crashed", "succeeded"]
    for job_id in waiting:
        assert crew.queue.ending(job_id)["status"] == "succeeded"
        assert crew.queue.attempts(job_id) == ["succeeded"]


def test_children_stop_when_their_worker_is_frozen_beyond_its_lease(crew: Crew) -> None:
    crew.start(threads=1)
    gate = crew.gate()
    job_id = crew.queue.put("waits", until=str(gate), name="a")
    child = crew.began(1)[0]["pid"]
    ((_, worker),) = crew.queue.workers()

    os.kill(worker, signal.SIGSTOP)
    try:
        until(lambda: not is_alive(child), within_s=10, why="the child outlives its worker's lease")
        crew.start(threads=1)
        gate.touch()
        assert crew.queue.ending(job_id)["status"] == "succeeded"
    finally:
        os.kill(worker, signal.SIGCONT)

    assert crew.queue.attempts(job_id) == ["lost", "succeeded"]


def test_a_child_that_is_frozen_is_replaced_and_its_job_runs_again(crew: Crew) -> None:
    crew.start(threads=1)
    gate = crew.gate()
    job_id = crew.queue.put("waits", until=str(gate), name="a")
    child = crew.began(1)[0]["pid"]

    psutil.Process(child).suspend()

    crew.began(2)
    gate.touch()
    assert crew.queue.ending(job_id)["attempt"] == 1
    assert not is_alive(child)


@pytest.mark.parametrize("record_at_once", [True, False])
def test_a_killed_child_repeats_no_more_than_is_promised(crew: Crew, record_at_once: bool) -> None:
    crew.start(threads=1)
    name = "counts_at_once" if record_at_once else "counts"
    jobs = [crew.queue.put(name, n=number) for number in range(400)]

    pid = until(lambda: crew.diary("counted") and crew.diary("counted")[-1]["pid"], why="none has run")
    os.kill(pid, signal.SIGKILL)

    for job_id in jobs:
        crew.queue.ending(job_id, within_s=40)
    repeated = len(crew.diary("counted")) - len(jobs)
    assert 0 <= repeated <= (1 if record_at_once else 33)


def test_async_tasks_run_side_by_side_in_one_child(crew: Crew) -> None:
    crew.start(threads=1)
    gate = crew.gate()
    jobs = [crew.queue.put("waits_async", until=str(gate), name=str(n)) for n in range(30)]

    begun = crew.began(20, task="waits_async")
    assert len({entry["pid"] for entry in begun}) == 1
    gate.touch()

    for job_id in jobs:
        assert crew.queue.ending(job_id)["status"] == "succeeded"


def test_what_an_attempt_prints_and_logs_is_in_its_history(crew: Crew) -> None:
    crew.start(threads=2)
    talker, other = crew.queue.put("talks", words="first\n", times=1), crew.queue.put("adds", a=1, b=1)
    loud = crew.queue.put("talks", words="x" * 1_000, times=200)

    assert crew.queue.ending(talker)["output"] == "first\nWARNING tests.acceptance.app.tasks said it 1 times\n"
    assert crew.queue.ending(other)["output"] == ""
    assert len(crew.queue.ending(loud)["output"]) == 64 * 1024


def test_two_long_jobs_of_a_child_run_side_by_side_also_after_many_short_ones(crew: Crew) -> None:
    crew.start(processes=1, threads=2)
    short = put_many(crew, 300, first=1)
    until(lambda: crew.queue.statuses() == {}, why=f"{len(short)} short jobs end, in one thread")
    gate = crew.gate()

    with crew.queue.transaction():
        long = [crew.queue.put("waits", until=str(gate), name=name) for name in ("a", "b")]
    crew.began(2)
    gate.touch()

    for job_id in long:
        assert crew.queue.ending(job_id)["status"] == "succeeded"
