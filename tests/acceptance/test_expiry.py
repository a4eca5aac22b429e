"""A real worker does not begin what nobody was to begin any more, and says so."""

from __future__ import annotations

from typing import Any

import pytest

from tests.acceptance.app.mutants import Mutant
from tests.acceptance.crew import Crew, until

PAST, FUTURE = "2020-01-01 00:00+00", "2100-01-01 00:00+00"
GUARD = Mutant("youtility_tasks.workers.run", "_surroundings", "if job.begin_by is not None", "if job.begin_by == 0.0")


def outcomes(crew: Crew, task_name: str, **args: Any) -> list[str]:
    late = crew.queue.put(task_name, _expires_at=PAST, **args)
    in_time = crew.queue.put(task_name, _expires_at=FUTURE, **args)
    return [crew.queue.ending(job_id)["outcome"] for job_id in (late, in_time)]


@pytest.mark.parametrize("task_name", ["adds", "adds_async"])
def test_a_late_job_is_not_run_and_its_history_says_so(shared: Crew, task_name: str) -> None:
    assert outcomes(shared, task_name, a=40, b=2) == ["expired", "succeeded"]
    assert len(shared.diary("ran", task=task_name, sum=42)) == 1


def test_without_the_look_at_the_clock_it_would_run(crew: Crew) -> None:
    crew.start(mutant=GUARD)

    assert outcomes(crew, "adds", a=1, b=1) == ["succeeded", "succeeded"]


def test_a_job_that_waits_for_a_thread_past_its_time_is_not_run(crew: Crew) -> None:
    crew.start(threads=1)
    gate = crew.gate("busy")
    first = crew.queue.put("waits", until=str(gate), name="first")
    until(lambda: crew.queue.statuses()[first] == "doing", why="the only thread is busy")
    ((soon,),) = crew.queue.rows("SELECT (now() + interval '0.5 seconds')::text")

    second = crew.queue.put("adds", a=1, b=1, _expires_at=soon)
    until(lambda: crew.queue.rows("SELECT now() > %s::timestamptz", soon)[0][0], why="its time is over")
    gate.touch()

    assert crew.queue.ending(second)["outcome"] == "expired"
    assert not crew.diary("ran", task="adds")
