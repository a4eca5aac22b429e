"""A real worker: how far a job is can be seen while it runs, and what it has kept reaches its next attempt, whoever runs that."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest

from tests.acceptance.crew import Crew, until


def noted(crew: Crew, job_id: int) -> tuple[Any, ...] | None:
    """done, total, note."""
    rows = crew.queue.rows(
        "SELECT progress -> 'done', progress -> 'total', progress_note FROM procrastinate_jobs WHERE id = %s AND progress IS NOT NULL",
        job_id,
    )
    return rows[0] if rows else None


def test_how_far_a_job_is_can_be_seen_while_it_runs(shared: Crew) -> None:
    gate = shared.gate("pages")
    job_id = shared.queue.put("goes_a_long_way", until=str(gate))

    assert until(lambda: noted(shared, job_id), why="it has said so") == (40, 100, "pages")
    assert shared.queue.statuses()[job_id] == "doing"
    gate.touch()
    assert shared.queue.ending(job_id)["result"] == "there"
    assert noted(shared, job_id) is None


def test_what_it_said_last_stays_with_one_that_failed_however_often_it_spoke(shared: Crew) -> None:
    job_id = shared.queue.put("goes_a_long_way", fails=True, times=200_000)

    assert shared.queue.ending(job_id)["outcome"] == "bad_input"
    assert noted(shared, job_id) == (199_999, 199_999, "the end")


def test_a_child_that_is_killed_when_its_checkpoint_was_kept_leaves_it_to_the_next_attempt(shared: Crew) -> None:
    job_id = shared.queue.put("keeps_its_place", dies=True)

    assert shared.queue.ending(job_id)["result"] == {"page": 40, "of": "the first"}
    assert shared.queue.attempts(job_id) == ["crashed", "succeeded"]


def test_an_async_task_keeps_its_place_too(shared: Crew) -> None:
    job_id = shared.queue.put("keeps_its_place_async")

    assert shared.queue.ending(job_id)["result"] == ["async"]


@pytest.mark.timeout(60)
def test_another_worker_that_rescues_the_job_gives_the_checkpoint_back(crew: Crew) -> None:
    first = crew.start()
    job_id = crew.queue.put("keeps_its_place")
    crew.began(task="keeps_its_place")

    os.kill(first.pid, signal.SIGKILL)
    crew.start(ready=False)

    assert crew.queue.ending(job_id)["result"] == {"page": 40, "of": "the first"}
    assert crew.queue.attempts(job_id) == ["lost", "succeeded"]
