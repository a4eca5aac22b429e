"""A real worker does what its row says, within a heartbeat."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from tests import warm
from tests.acceptance.app.mutants import Mutant
from tests.acceptance.crew import REPOSITORY, Crew, until

DEAF = Mutant("youtility_tasks.workers.worker", "Worker._room", "or self.is_quiet ", "")
FORGETFUL = Mutant("youtility_tasks.workers.supervisor", "Supervisor._ended", "code == RETIRED or", "")


def workers_verb(crew: Crew, *words: object) -> str:
    """`manage_task_queue workers ...` as an operator's shell has it."""
    env = {**crew.env, "DJANGO_SETTINGS_MODULE": "tests.acceptance.settings", "TEST_SETTINGS": "{}", "TEST_MUTANT": ""}
    command = [sys.executable, "-m", "django", "manage_task_queue", "workers", *map(str, words)]
    done = warm.run(command, cwd=REPOSITORY, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def the_worker(crew: Crew) -> int:
    ((worker_id,),) = crew.queue.rows("SELECT max(id) FROM youtility_tasks_taskworker")
    return int(worker_id)


def tell(crew: Crew, order: str) -> int:
    worker_id = the_worker(crew)
    crew.queue.rows("UPDATE youtility_tasks_taskworker SET told = %s WHERE id = %s", order, worker_id)
    return worker_id


def status_is(crew: Crew, worker_id: int, status: str) -> None:
    seen: list[Any] = until(
        lambda: crew.queue.rows(
            "SELECT 1 FROM youtility_tasks_taskworker WHERE id = %s AND status = %s", worker_id, status
        ),
        why=f"worker {worker_id} is {status}",
    )
    assert seen


def test_a_worker_is_quiet_goes_on_and_leaves_as_it_is_told(crew: Crew) -> None:
    supervisor = crew.start(threads=2)
    worker_id = the_worker(crew)
    running = crew.queue.put("waits", until=str(crew.gate()))
    crew.began(1)

    # Quiet: what runs ends, and nothing is claimed.
    said = workers_verb(crew, "quiet", worker_id, "--reason", "deploy")
    assert f"Worker {worker_id} (maintenance" in said
    status_is(crew, worker_id, "quiet")
    waiting = crew.queue.put("adds", a=1, b=2)
    crew.gate().touch()
    crew.queue.ending(running)
    crew.next_heartbeat("quiet")
    assert crew.queue.statuses() == {waiting: "todo"}

    # A lease that ran out: the process registers anew, and is still the one that was told.
    ((pid,),) = crew.queue.rows("SELECT pid FROM youtility_tasks_taskworker WHERE id = %s", worker_id)
    os.kill(pid, signal.SIGSTOP)
    crew.queue.rows("DELETE FROM procrastinate_workers WHERE id = %s", worker_id)  # as another worker would
    os.kill(pid, signal.SIGCONT)
    until(lambda: the_worker(crew) != worker_id, why="it registers anew")
    worker_id = the_worker(crew)
    status_is(crew, worker_id, "quiet")
    crew.next_heartbeat("quiet")
    assert crew.queue.statuses() == {waiting: "todo"}

    # On again.
    tell(crew, "")
    assert crew.queue.ending(waiting)["outcome"] == "succeeded"
    status_is(crew, worker_id, "running")

    # Away: what runs ends, and nobody takes its post.
    last = crew.queue.put("waits", until=str(crew.gate("another")))
    crew.began(2)
    tell(crew, "drain")
    status_is(crew, worker_id, "draining")
    left = crew.queue.put("adds", a=1, b=2)
    crew.gate("another").touch()
    assert supervisor.wait() == 0
    assert crew.queue.ending(last)["outcome"] == "succeeded" and crew.queue.statuses() == {left: "todo"}
    status_is(crew, worker_id, "stopped")


def test_a_worker_that_does_not_heed_it_is_noticed(crew: Crew) -> None:
    crew.start(mutant=DEAF)
    status_is(crew, tell(crew, "quiet"), "quiet")

    assert crew.queue.ending(crew.queue.put("adds", a=1, b=2))["outcome"] == "succeeded"


def test_a_supervisor_that_starts_another_is_noticed(crew: Crew) -> None:
    crew.start(mutant=FORGETFUL)
    before = tell(crew, "drain")

    until(lambda: the_worker(crew) != before, why="another worker has come")
