"""A draining worker leaves when nothing is left to do, neither before that nor never."""

from __future__ import annotations

import time

import pytest

from tests.acceptance.app.mutants import Mutant
from tests.acceptance.crew import Crew, until

BOTH = ("maintenance", "email")
WAIT = Mutant(
    "youtility_tasks.workers.worker", "Worker._pump_loop", "if not await self._waits_elsewhere():", "if True:"
)


def put_in_turns(crew: Crew, n: int) -> list[int]:
    """Jobs of one lock, each of the other queue than the one before."""
    with crew.queue.transaction():
        return [crew.queue.put("adds", queue=BOTH[number % 2], a=number, b=0, _lock="one") for number in range(n)]


def test_draining_does_not_end_while_a_lock_goes_to_and_fro_between_queues(crew: Crew) -> None:
    put_in_turns(crew, 12)

    supervisor = crew.start("--drain", queues=BOTH, ready=False)

    assert supervisor.wait() == 0
    assert crew.queue.statuses() == {}


def test_without_a_look_at_the_other_queues_it_would_end_too_early(crew: Crew) -> None:
    jobs = put_in_turns(crew, 12)

    supervisor = crew.start("--drain", queues=BOTH, ready=False, mutant=WAIT)

    assert supervisor.wait() == 0
    assert set(crew.queue.statuses()) < set(jobs)
    assert crew.queue.statuses()


@pytest.mark.parametrize("why", ["nobody serves it", "it is paused", "it comes later"])
def test_draining_ends_although_a_job_of_another_queue_is_first_of_a_lock(crew: Crew, why: str) -> None:
    if why == "it is paused":
        crew.queue.rows(
            "INSERT INTO youtility_tasks_queuecontrol (queue_name, task_name, burst, is_paused, reason, changed_by, paused_by)"
            " VALUES ('email', '', 1, true, '', '', '')"
        )
    if why != "nobody serves it":
        crew.start(queues=("email",))
    first = crew.queue.put(
        "adds", queue="email", a=0, b=0, _lock="one", _scheduled_at="2100-01-01" if why == "it comes later" else None
    )
    behind = crew.queue.put("adds", a=1, b=0, _lock="one")
    free = crew.queue.put("adds", a=2, b=0)
    began = time.monotonic()

    supervisor = crew.start("--drain", poll_interval_s=60.0, ready=False)

    assert supervisor.wait(within_s=10) == 0
    assert time.monotonic() - began < 8
    crew.queue.ending(free)
    assert crew.queue.statuses() == {first: "todo", behind: "todo"}


def test_a_job_that_waits_behind_another_queue_is_found_soon_after_its_lock_is_free(crew: Crew) -> None:
    crew.start(queues=("email",))
    gate = crew.gate()
    busy = [crew.queue.put("waits", queue="email", until=str(gate), name=str(n), _priority=9) for n in range(4)]
    crew.began(4)
    first = crew.queue.put("adds", queue="email", a=0, b=0, _lock="one")
    behind = crew.queue.put("adds", a=1, b=0, _lock="one")

    supervisor = crew.start("--drain", poll_interval_s=60.0)
    until(lambda: crew.queue.statuses()[first] == "todo", why="its queue is busy")
    time.sleep(1)
    assert supervisor.process.poll() is None
    gate.touch()

    for job_id in (*busy, first, behind):
        crew.queue.ending(job_id, within_s=5)
    assert supervisor.wait() == 0
