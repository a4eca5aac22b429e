"""Processes die, freeze and are told to stop; no job is lost, none counts twice, and neighbours lose nothing."""

from __future__ import annotations

import os
import signal
import time

import psutil
import pytest

from tests.acceptance.app.mutants import Mutant
from tests.acceptance.crew import Crew, Supervisor, is_alive, until


def worker_pid(crew: Crew) -> int:
    ((_, pid),) = crew.queue.workers()
    return pid


def kill(pid: int, number: int = signal.SIGKILL) -> None:
    os.kill(pid, number)


def finished(crew: Crew, *job_ids: int) -> None:
    for job_id in job_ids:
        assert crew.queue.ending(job_id)["status"] == "succeeded"


# -- a child


def test_a_child_is_killed_and_its_jobs_run_again_without_using_up_an_attempt(crew: Crew) -> None:
    crew.start(processes=2, threads=2)
    gate = crew.gate()
    jobs = [crew.queue.put("waits", until=str(gate), name=str(n)) for n in range(4)]
    begun = crew.began(4)
    victim = begun[0]["pid"]
    struck = {int(entry["name"]) for entry in begun if entry["pid"] == victim}
    assert 0 < len(struck) < 4

    kill(victim)

    crew.began(4 + len(struck))
    gate.touch()
    finished(crew, *jobs)
    for number, job_id in enumerate(jobs):
        expected = ["crashed", "succeeded"] if number in struck else ["succeeded"]
        assert crew.queue.attempts(job_id) == expected
        assert crew.queue.ending(job_id)["attempt"] == 1


def test_what_was_in_a_child_that_crashed_runs_alone_next_time(crew: Crew) -> None:
    crew.start(threads=3)
    gate = crew.gate()
    jobs = [crew.queue.put("waits", until=str(gate), name=str(n)) for n in range(3)]
    before = crew.began(3)
    assert len({entry["pid"] for entry in before}) == 1

    kill(before[0]["pid"])

    again = crew.began(6)[3:]
    assert len({entry["pid"] for entry in again}) == 3
    gate.touch()
    finished(crew, *jobs)


@pytest.mark.parametrize("how", ["exit", "segfault", "kill"])
def test_a_poison_job_is_a_dead_letter_after_three_crashes_and_its_neighbours_succeed(crew: Crew, how: str) -> None:
    crew.start(threads=3)
    gate, fuse = crew.gate(), crew.gate("fuse")
    neighbours = [crew.queue.put("waits", until=str(gate), name=str(n)) for n in range(2)]
    poison = crew.queue.put("dies", how=how, until=str(fuse))
    crew.began(3)
    fuse.touch()

    ending = crew.queue.ending(poison)

    assert crew.queue.attempts(poison) == ["crashed", "crashed", "crashed"]
    assert (ending["status"], ending["error_class"]) == ("failed", "youtility_tasks.errors.ChildDied")
    assert {"exit": "exit code 3", "segfault": "SIGSEGV", "kill": "SIGKILL"}[how] in ending["error_message"]
    assert crew.queue.statuses()[poison] == "failed"
    gate.touch()
    finished(crew, *neighbours)
    for job_id in neighbours:
        assert crew.queue.ending(job_id)["attempt"] == 1
        # Once beside the poison; when both ran alone, it could no longer touch them.
        assert crew.queue.attempts(job_id) == ["crashed", "succeeded"]


def kills_of_parents_end_as_a_dead_letter(crew: Crew, mutant: Mutant | None) -> None:
    """A task that kills its parent strikes what runs beside it once; then it has that parent to itself."""
    supervisor = crew.start(processes=2, threads=2, mutant=mutant)
    gate, fuse = crew.gate(), crew.gate("fuse")
    neighbours = [crew.queue.put("waits", until=str(gate), name=str(n)) for n in range(2)]
    poison = crew.queue.put("dies", how="parent", until=str(fuse))
    crew.began(3)
    worker = worker_pid(crew)
    fuse.touch()

    ending = crew.queue.ending(poison, within_s=30)

    assert crew.queue.attempts(poison) == ["crashed", "crashed", "crashed"]
    assert (ending["status"], ending["error_class"]) == ("failed", "youtility_tasks.errors.ChildDied")
    assert "with its parent" in ending["error_message"]
    assert crew.queue.statuses()[poison] == "failed"
    gate.touch()
    finished(crew, *neighbours)
    for job_id in neighbours:
        assert crew.queue.ending(job_id)["attempt"] == 1
        assert crew.queue.attempts(job_id) == ["crashed", "succeeded"]
    assert worker_pid(crew) == worker
    assert not supervisor.said("worker died")


def kills_of_grandparents_are_counted(crew: Crew, mutant: Mutant | None) -> None:
    """A task that kills its parent's parent ends its worker each time, and goes on to the next; not for ever."""
    crew.start(threads=1, mutant=mutant, max_rescues=3)
    poison = crew.queue.put("dies", how="grandparent")

    ending = crew.queue.ending(poison, within_s=20 if mutant is None else 8)

    assert ending["status"] == "failed"
    assert crew.queue.attempts(poison) == ["lost"] * 3
    crew.queue.ending(crew.queue.put("does_nothing"))


def test_a_job_that_kills_its_parents_parent_is_rescued_so_many_times_and_no_more(crew: Crew) -> None:
    kills_of_grandparents_are_counted(crew, None)


def test_a_job_that_kills_its_parents_parent_is_never_counted_where_its_worker_gives_it_back(crew: Crew) -> None:
    gives_back = Mutant("youtility_tasks.workers.worker", "Worker.run", "if has_ended_well:", "if True:")
    with pytest.raises(AssertionError, match="has not ended"):
        kills_of_grandparents_are_counted(crew, gives_back)


def test_a_job_that_kills_its_parent_is_a_dead_letter_and_its_worker_lives(crew: Crew) -> None:
    kills_of_parents_end_as_a_dead_letter(crew, None)


def test_a_job_that_kills_its_parent_strikes_its_neighbours_again_unless_it_is_set_apart(crew: Crew) -> None:
    apart = Mutant("youtility_tasks.workers.children", "Children.give", "apart=job.crash_count > 0", "apart=False")

    with pytest.raises(AssertionError):
        kills_of_parents_end_as_a_dead_letter(crew, apart)


def test_a_nursery_is_killed_and_everything_runs_again(crew: Crew) -> None:
    crew.start()
    gate = crew.gate()
    job_id = crew.queue.put("waits", until=str(gate))
    (begun,) = crew.began()
    nursery = psutil.Process(begun["pid"]).parent()
    assert nursery is not None

    nursery.kill()

    crew.began(2)
    gate.touch()
    finished(crew, job_id)
    assert crew.queue.ending(job_id)["attempt"] == 1
    until(lambda: not is_alive(begun["pid"]), within_s=2, why="the child went with its nursery")


# -- a worker


def test_a_worker_is_killed_and_its_jobs_run_again(crew: Crew) -> None:
    supervisor = crew.start()
    gate = crew.gate()
    job_id = crew.queue.put("waits", until=str(gate))
    (begun,) = crew.began()
    pid = worker_pid(crew)

    kill(pid)

    until(lambda: not is_alive(begun["pid"]), within_s=1, why="its children are dead")
    again = crew.began(2)
    assert again[1]["at"] - again[0]["at"] < 15
    gate.touch()
    finished(crew, job_id)
    assert crew.queue.attempts(job_id) == ["lost", "succeeded"]
    assert crew.queue.ending(job_id)["attempt"] == 1
    assert crew.queue.counter("rescued_total") == 1
    assert supervisor.process.poll() is None
    assert worker_pid(crew) != pid


def test_a_worker_that_is_killed_again_and_again_is_started_again(crew: Crew) -> None:
    supervisor = crew.start()
    pids = set()
    for _ in range(3):
        pid = until(lambda: next((p for _, p in crew.queue.workers() if p not in pids and is_alive(p)), 0))
        pids.add(pid)
        kill(pid)

    finished(crew, crew.queue.put("adds", a=1, b=1))
    assert supervisor.process.poll() is None


def test_the_supervisor_is_killed_and_all_its_processes_with_it(crew: Crew) -> None:
    first = crew.start(queues=("maintenance", "email"))
    gate = crew.gate()
    job_id = crew.queue.put("waits", until=str(gate))
    crew.began()
    family = [process.pid for process in first.family()]
    assert len(family) >= 5  # two workers, two nurseries, a child

    kill(first.pid)

    until(lambda: not any(is_alive(pid) for pid in family), within_s=1, why="all are dead")
    assert crew.queue.statuses() == {job_id: "doing"}
    crew.start()
    crew.began(2)
    gate.touch()
    finished(crew, job_id)
    assert crew.queue.attempts(job_id) == ["lost", "succeeded"]


@pytest.mark.parametrize("who", ["the supervisor", "the worker"])
def test_what_a_task_started_outlives_neither_the_supervisor_nor_the_worker(crew: Crew, who: str) -> None:
    """Several guards see to it, each of which would do for this one; `test_guards` has what each of them alone holds."""
    supervisor = crew.start()
    crew.queue.put("has_a_daemon", until="/nowhere")
    (grandchild,) = until(lambda: crew.diary("grandchild"), why="the grandchild lives")

    kill(supervisor.pid if who == "the supervisor" else worker_pid(crew))

    try:
        until(lambda: not is_alive(grandchild["pid"]), within_s=1, why="the grandchild is dead")
    finally:
        if is_alive(grandchild["pid"]):
            kill(grandchild["pid"])


# -- frozen, and awake again


def test_a_frozen_worker_wakes_up_and_its_stale_writes_are_rejected_and_counted(crew: Crew) -> None:
    first = crew.start()
    gate = crew.gate()
    job_id = crew.queue.put("waits", until=str(gate))
    crew.began()
    frozen = worker_pid(crew)
    kill(frozen, signal.SIGSTOP)
    gate.touch()
    until(lambda: crew.diary("end"), why="the frozen worker's child has finished")
    gate.unlink()
    crew.start()
    crew.began(2)  # the second worker has rescued it and runs it
    assert crew.queue.statuses() == {job_id: "doing"}

    kill(frozen, signal.SIGCONT)

    until(lambda: crew.queue.counter("stale_writes_rejected_total") == 1, why="the stale write was counted")
    assert crew.queue.statuses() == {job_id: "doing"}
    gate.touch()
    finished(crew, job_id)
    assert crew.queue.attempts(job_id) == ["lost", "succeeded"]
    until(lambda: len({w for w, _ in crew.queue.workers()}) == 2, why="it has registered anew")
    assert first.process.poll() is None


def test_a_frozen_worker_wakes_up_to_waiting_work_and_drops_what_it_held(crew: Crew) -> None:
    """Its first statement asks for more as well, and it is no longer known to the database."""
    crew.start()
    gate = crew.gate()
    job_id = crew.queue.put("waits", until=str(gate))
    crew.began()
    frozen = worker_pid(crew)
    kill(frozen, signal.SIGSTOP)
    crew.start(threads=1)
    crew.began(2)
    waiting = [crew.queue.put("adds", a=n, b=0) for n in range(5)]

    kill(frozen, signal.SIGCONT)

    finished(crew, *waiting)
    gate.touch()
    finished(crew, job_id)
    assert crew.queue.attempts(job_id) == ["lost", "succeeded"]
    assert is_alive(frozen), "a worker that was frozen registers anew and goes on"


def test_a_task_that_holds_the_interpreter_for_longer_than_the_lease_is_not_rescued(crew: Crew) -> None:
    crew.start()
    crew.start()
    job_id = crew.queue.put("holds_the_interpreter", seconds=3)
    crew.began()

    assert crew.queue.ending(job_id)["result"] == "let go"

    assert crew.queue.attempts(job_id) == ["succeeded"]
    assert crew.queue.counter("rescued_total") == 0
    assert len(crew.diary("begin")) == 1


# -- told to stop


def stopped(crew: Crew, supervisor: Supervisor) -> None:
    assert supervisor.wait() == 0
    assert crew.queue.workers() == []
    assert crew.queue.rows("SELECT DISTINCT status FROM youtility_tasks_taskworker") == [("stopped",)]


def test_sigterm_lets_running_jobs_finish_and_takes_no_more(crew: Crew) -> None:
    supervisor = crew.start()
    gate = crew.gate()
    running = [crew.queue.put(task, until=str(gate), name=task) for task in ("waits", "waits_async")]
    crew.began(2)

    supervisor.signal(signal.SIGTERM)

    until(
        lambda: crew.queue.rows("SELECT 1 FROM youtility_tasks_taskworker WHERE status = 'draining'"), why="it drains"
    )
    waiting = crew.queue.put("adds", a=1, b=1)
    gate.touch()
    stopped(crew, supervisor)
    finished(crew, *running)
    assert crew.queue.statuses() == {waiting: "todo"}
    assert [crew.queue.attempts(job_id) for job_id in running] == [["succeeded"], ["succeeded"]]


def test_what_outlasts_the_grace_period_is_handed_back_with_no_attempt_used(crew: Crew) -> None:
    supervisor = crew.start(shutdown_grace_s=0.5)
    job_id = crew.queue.put("waits")
    crew.began()

    supervisor.signal(signal.SIGTERM)

    stopped(crew, supervisor)
    handed_back(crew, job_id)


def test_a_second_sigterm_means_now(crew: Crew) -> None:
    supervisor = crew.start(shutdown_grace_s=60)
    job_id = crew.queue.put("waits")
    crew.began()
    supervisor.signal(signal.SIGTERM)
    until(
        lambda: crew.queue.rows("SELECT 1 FROM youtility_tasks_taskworker WHERE status = 'draining'"), why="it drains"
    )

    supervisor.signal(signal.SIGTERM)

    assert supervisor.wait(within_s=5) == 0
    stopped(crew, supervisor)
    handed_back(crew, job_id)


def handed_back(crew: Crew, job_id: int) -> None:
    (row,) = crew.queue.rows(
        "SELECT status::text, attempts, crash_count, rescue_count, worker_id FROM procrastinate_jobs WHERE id = %s",
        job_id,
    )
    assert row == ("todo", 0, 0, 0, None)
    assert crew.queue.attempts(job_id) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "service stop"])
def test_a_signal_to_the_whole_group_is_one_wish_to_stop(crew: Crew, number: int) -> None:
    """A terminal's Ctrl-C goes to every process in the foreground, systemd's stop to every process of the service."""
    supervisor = crew.start(shutdown_grace_s=60)
    gate = crew.gate()
    job_id = crew.queue.put("waits", until=str(gate))
    crew.began()

    for pid in [supervisor.pid, *(process.pid for process in supervisor.family())]:
        kill(pid, number)

    # It drains, and is still doing so well after a second wish would have been carried out.
    for _ in range(5):
        crew.next_heartbeat("draining")
    gate.touch()
    stopped(crew, supervisor)
    finished(crew, job_id)
    assert crew.queue.attempts(job_id) == ["succeeded"]
    assert len(crew.diary("begin")) == 1


def test_an_idle_supervisor_stops_at_once(crew: Crew) -> None:
    supervisor = crew.start(queues=("maintenance", "email"))

    supervisor.signal(signal.SIGTERM)

    assert supervisor.wait(within_s=3) == 0
    stopped(crew, supervisor)
    assert supervisor.family() == []


def test_draining_ends_when_nothing_is_left_that_is_due(crew: Crew) -> None:
    jobs = [crew.queue.put("adds", a=n, b=0) for n in range(30)]
    failing = crew.queue.put("always_fails")
    later = crew.queue.put("adds", a=0, b=0, _scheduled_at="2100-01-01")

    supervisor = crew.start("--drain", ready=False)

    assert supervisor.wait() == 0
    finished(crew, *jobs)
    assert crew.queue.statuses()[later] == "todo"
    assert crew.queue.attempts(failing)[0] == "retry"


def test_draining_does_not_end_while_a_due_job_waits_for_a_lock_that_another_worker_holds(crew: Crew) -> None:
    crew.start(queues=("reports",))
    first = crew.queue.put("waits", queue="reports", until=str(crew.gate()), _lock="one")
    crew.began()
    behind = crew.queue.put("adds", a=1, b=0, _lock="one")

    supervisor = crew.start("--drain", poll_interval_s=60.0)
    until(lambda: len(crew.queue.rows("SELECT 1 FROM youtility_tasks_taskworker")) == 2, why="it has registered")
    time.sleep(1)
    assert supervisor.process.poll() is None
    crew.gate().touch()

    crew.queue.ending(first)
    crew.queue.ending(behind, within_s=5)
    assert supervisor.wait() == 0


# -- between doing and marking


def test_a_mail_whose_sender_died_before_he_could_note_it_is_repeated_under_the_same_id(crew: Crew) -> None:
    crew.start()
    job_id = crew.queue.put("mails_and_dies", tenant_id=7, key="ticket:1", die_before_mark=True)

    assert crew.queue.ending(job_id)["result"] is True

    assert crew.queue.attempts(job_id) == ["crashed", "succeeded"]
    first, second = crew.diary("sent")
    assert first["message_id"] == second["message_id"]
    assert first["pid"] != second["pid"]
    again = crew.queue.put("mails_and_dies", tenant_id=7, key="ticket:1", die_before_mark=False)
    assert crew.queue.ending(again)["result"] is False
    elsewhere = crew.queue.put("mails_and_dies", tenant_id=8, key="ticket:1", die_before_mark=False)
    assert crew.queue.ending(elsewhere)["result"] is True
    assert len({entry["message_id"] for entry in crew.diary("sent")}) == 2
