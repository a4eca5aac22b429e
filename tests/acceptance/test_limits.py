"""Time limits and aborts end what they are meant to end, and nothing beside it."""

from __future__ import annotations

import os
import signal

import pytest

from tests.acceptance.crew import Crew, is_alive, until


def abort(crew: Crew, job_id: int) -> None:
    """As procrastinate and `acts.cancel` do it."""
    crew.queue.rows("UPDATE procrastinate_jobs SET abort_requested = true WHERE id = %s AND status = 'doing'", job_id)


def test_a_sync_task_is_told_its_limit_and_retried(shared: Crew) -> None:
    job_id = shared.queue.put("runs_past_its_limit")

    ending = shared.queue.ending(job_id)

    assert shared.queue.attempts(job_id) == ["timed_out", "timed_out"]
    assert ending["error_class"] == "youtility_tasks.errors.SoftTimeLimit"
    assert "wait_for" in ending["traceback"]
    assert 500 <= ending["run_ms"] < 2_000


def test_an_async_task_is_told_its_limit(shared: Crew) -> None:
    ending = shared.queue.ending(shared.queue.put("runs_past_its_limit_async"))

    assert (ending["outcome"], ending["error_class"]) == ("timed_out", "youtility_tasks.errors.SoftTimeLimit")


@pytest.mark.parametrize("task_name", ["swallows_its_limit", "is_deaf_in_c"])
def test_a_task_that_goes_on_past_its_limit_is_killed_and_its_neighbours_lose_nothing(
    shared: Crew, task_name: str
) -> None:
    gate = shared.gate(f"after-{task_name}")
    neighbour = shared.queue.put("waits", until=str(gate), name=task_name)
    shared.began(task="waits", name=task_name)
    job_id = shared.queue.put(task_name)
    shared.began(task=task_name)

    ending = shared.queue.ending(job_id)

    assert (ending["outcome"], ending["error_class"]) == ("timed_out", "youtility_tasks.errors.HardTimeLimit")
    shared.began(2, task="waits", name=task_name)
    gate.touch()
    assert shared.queue.ending(neighbour)["attempt"] == 1
    assert shared.queue.attempts(neighbour) == ["succeeded"]


def test_a_task_without_a_limit_may_take_its_time(shared: Crew) -> None:
    gate = shared.gate("patience")
    job_id = shared.queue.put("waits", until=str(gate), name="patience")
    for _ in range(2):
        shared.queue.ending(shared.queue.put("runs_past_its_limit_async"))

    assert shared.queue.statuses()[job_id] == "doing"
    gate.touch()
    assert shared.queue.ending(job_id)["status"] == "succeeded"


# -- aborts


@pytest.mark.parametrize("task_name", ["waits", "waits_async"])
def test_a_running_task_is_aborted_and_never_runs_again(shared: Crew, task_name: str) -> None:
    job_id = shared.queue.put(task_name, name=f"abort {task_name}")
    shared.began(task=task_name, name=f"abort {task_name}")

    abort(shared, job_id)

    ending = shared.queue.ending(job_id)
    assert (ending["status"], ending["outcome"], ending["attempt"]) == ("aborted", "aborted", 1)
    assert job_id not in shared.queue.statuses()
    assert shared.diary("end", name=f"abort {task_name}") == []


def test_a_task_that_asks_ends_in_its_own_way(shared: Crew) -> None:
    job_id = shared.queue.put("asks_whether_to_stop")
    shared.began(task="asks_whether_to_stop")

    abort(shared, job_id)

    ending = shared.queue.ending(job_id)
    assert (ending["status"], ending["result"]) == ("succeeded", "stopped when asked")


def test_a_task_that_swallows_the_abort_is_killed(shared: Crew) -> None:
    job_id = shared.queue.put("swallows_the_abort")
    (begun,) = shared.began(task="swallows_the_abort")

    abort(shared, job_id)

    assert shared.queue.ending(job_id)["status"] == "aborted"
    until(lambda: not is_alive(begun["pid"]), within_s=2, why="its process has ended")


def test_a_grandchild_does_not_outlive_the_child_that_died(shared: Crew) -> None:
    job_id = shared.queue.put("has_a_daemon", until="/nowhere")
    (grandchild,) = until(lambda: shared.diary("grandchild"), why="the grandchild lives")
    assert is_alive(grandchild["pid"])
    (daemon,) = shared.began(task="has_a_daemon")

    os.kill(daemon["pid"], signal.SIGKILL)

    until(lambda: not is_alive(grandchild["pid"]), within_s=3, why="the grandchild has ended")
    abort(shared, job_id)
