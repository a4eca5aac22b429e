"""Children are replaced between jobs and never during one; what is logged names no argument."""

from __future__ import annotations

from tests.acceptance.crew import Crew, is_alive, until


def test_a_child_is_replaced_after_its_share_of_jobs_and_no_job_notices(crew: Crew) -> None:
    crew.start(max_jobs_per_child=5)
    jobs = [crew.queue.put(name, a=n, b=0) for n in range(20) for name in ("adds", "adds_async")]

    endings = [crew.queue.ending(job_id) for job_id in jobs]

    assert {ending["outcome"] for ending in endings} == {"succeeded"}
    assert len({ending["pid"] for ending in endings}) >= 4
    assert len(crew.diary("ran")) == len(jobs)
    assert all(crew.queue.attempts(job_id) == ["succeeded"] for job_id in jobs)


def test_a_child_that_has_grown_too_large_is_replaced_between_jobs(crew: Crew) -> None:
    crew.start(max_child_memory_mib=1)  # every process is larger than that
    gate = crew.gate()
    running = crew.queue.put("waits", until=str(gate), name="long")
    crew.began()
    until(lambda: crew.supervisors[0].said("child retires"), why="it was found too large")

    # New jobs go to another child, and the one that runs is let finish.
    other = crew.queue.ending(crew.queue.put("adds", a=1, b=1))
    gate.touch()
    ending = crew.queue.ending(running)

    assert (ending["outcome"], ending["attempt"]) == ("succeeded", 1)
    assert ending["pid"] != other["pid"]
    until(lambda: not {ending["pid"], other["pid"]} & living(crew), why="both are gone, and nothing holds on to them")


def test_a_child_under_constant_load_is_replaced_too(crew: Crew) -> None:
    crew.start(threads=2, max_jobs_per_child=3)
    gates = [crew.gate(f"gate-{n}") for n in range(6)]
    jobs = [crew.queue.put("waits", until=str(gate), name=str(n)) for n, gate in enumerate(gates)]
    for n in range(len(jobs)):  # one ends and the next begins, so that two always run
        crew.began(min(n + 2, len(jobs)))
        gates[n].touch()
        crew.queue.ending(jobs[n])

    pids = [crew.queue.ending(job_id)["pid"] for job_id in jobs]

    assert len(set(pids)) >= 2
    assert max(pids.count(pid) for pid in pids) <= 4  # its share, and what it was given beside its last one
    assert {crew.queue.ending(job_id)["outcome"] for job_id in jobs} == {"succeeded"}


def living(crew: Crew) -> set[int]:
    return {process.pid for process in crew.supervisors[0].family() if is_alive(process.pid)}


def test_the_heartbeat_shows_the_children_and_what_they_hold(crew: Crew) -> None:
    crew.start()
    gate = crew.gate()
    crew.queue.put("waits", until=str(gate))
    (begun,) = crew.began()

    def child() -> list[dict[str, int]]:
        ((children,),) = crew.queue.rows("SELECT children FROM youtility_tasks_taskworker")
        return [each for each in children if each["jobs"] == 1]

    (shown,) = until(child, why="the heartbeat names the child")
    assert shown["pid"] == begun["pid"]
    assert shown["memory_bytes"] > 1_000_000
    gate.touch()


def test_what_is_logged_names_the_job_and_never_its_arguments(crew: Crew) -> None:
    supervisor = crew.start("--json-logs")
    canary = "Zuleika-Dobson"
    good = crew.queue.put("waits", until="/", name=canary, tenant_id=0)
    bad = crew.queue.put("adds", a=canary, b=1)
    for job_id in (good, bad):
        crew.queue.ending(job_id)

    until(lambda: supervisor.said(f"job succeeded id={good} task=waits tenant=0 attempt=1"), why="the end is logged")
    until(lambda: supervisor.said(f"id={bad} task=adds"), why="the failure is logged")
    assert not supervisor.said(canary)
    assert supervisor.said("builtins.TypeError")
