"""A real worker tells how it does, and why its children were replaced."""

from __future__ import annotations

from typing import Any

from tests.acceptance.app.mutants import Mutant
from tests.acceptance.crew import Crew, until

ALWAYS = Mutant("youtility_tasks.workers.beats", "Beats.tell", "time.monotonic() >= self._sample_at", "True")


def samples(crew: Crew) -> list[tuple[Any, ...]]:
    return crew.queue.rows(
        "SELECT memory_bytes, children_bytes, child_count, running_mean, running_most, cpu, at FROM youtility_tasks_workerheartbeat"
    )


def replaced(crew: Crew) -> dict[str, Any]:
    ((found,),) = crew.queue.rows("SELECT replaced FROM youtility_tasks_taskworker")
    return found or {"counts": {}, "last": []}


def test_a_worker_tells_how_it_does_and_why_its_children_were_replaced(crew: Crew) -> None:
    crew.start(threads=2, max_jobs_per_child=3)

    # A row of the first minute, while a job runs.
    gate = crew.gate()
    running = crew.queue.put("waits", until=str(gate))
    crew.began()
    (row,) = until(lambda: samples(crew), why="a sample is there")
    memory, in_children, children, _, _, cpu, at = row
    assert memory > 2**20 and children == 1 and in_children > 2**20 and 0 < cpu < 64
    ((about,),) = crew.queue.rows("SELECT version || ' ' || python FROM youtility_tasks_taskworker")
    assert len(about.split()) == 2, "it says its versions"

    # Its child says which job runs in it.
    def shown() -> list[Any]:
        ((told,),) = crew.queue.rows("SELECT children FROM youtility_tasks_taskworker")
        return [each for each in told if each["running"] == [running]]

    (child,) = until(shown, why="the child is shown with its job")
    assert child["jobs"] == 1

    # A share of three jobs is done; another child is killed under its job.
    gate.touch()
    done = [running, *(crew.queue.put("adds", a=n, b=1) for n in range(5))]
    assert {crew.queue.ending(job_id)["outcome"] for job_id in done} == {"succeeded"}
    until(lambda: replaced(crew)["counts"].get("jobs"), why="a share of jobs is told")
    killed = crew.queue.put("dies", how="kill")
    assert crew.queue.ending(killed)["outcome"] in ("crashed", "failed")
    until(lambda: replaced(crew)["counts"].get("crashed"), why="the crash is told")

    last = {each["why"]: each for each in replaced(crew)["last"]}
    assert last["jobs"]["how"].endswith(" jobs") and last["jobs"]["jobs"] == []
    assert (last["crashed"]["how"], last["crashed"]["jobs"]) == ("signal SIGKILL", [killed])
    assert last["crashed"]["at"] > at.isoformat()[:10]

    # One row a minute, however many heartbeats.
    for _ in range(3):
        crew.next_heartbeat("running")
    assert len(samples(crew)) == 1


def test_a_row_each_heartbeat_is_noticed(crew: Crew) -> None:
    crew.start(mutant=ALWAYS)

    until(lambda: len(samples(crew)) > 2, why="more than one row a minute")
