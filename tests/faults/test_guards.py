"""Guards of the workers' own code: what they promise holds, and holds no more once they are taken away."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable

import psutil
import pytest

from tests.acceptance.app.mutants import Mutant
from tests.acceptance.crew import Crew, is_alive, until
from tests.faults.test_claimed_ahead import busy_with

Check = Callable[[Crew, Mutant | None], None]

CHILD, CHILDREN = "youtility_tasks.workers.child", "youtility_tasks.workers.children"
NURSERY, SUPERVISOR = "youtility_tasks.workers.nursery", "youtility_tasks.workers.supervisor"


def patience_s(mutant: Mutant | None) -> float:
    """What the guards bring about takes some tenths of a second; nobody waits long to see that it does not come."""
    return 10 if mutant is None else 2.5


def what_waits_behind_a_long_job_runs_elsewhere(crew: Crew, mutant: Mutant | None) -> None:
    crew.start(threads=1, mutant=mutant)
    gate = crew.gate()
    _, waiting = busy_with(crew, str(gate), behind=5)

    crew.start(threads=1, mutant=mutant)

    for job_id in waiting:
        crew.queue.ending(job_id, within_s=patience_s(mutant))


def a_stopped_child_is_replaced(crew: Crew, mutant: Mutant | None) -> None:
    crew.start(threads=1, mutant=mutant)
    job_id = crew.queue.put("waits", until=str(crew.gate()))
    child = crew.began()[0]["pid"]

    psutil.Process(child).suspend()

    until(lambda: not is_alive(child), within_s=patience_s(mutant), why="the stopped child is still there")
    crew.gate().touch()
    assert crew.queue.ending(job_id)["status"] == "succeeded"


def a_task_that_stops_its_process_is_a_dead_letter(crew: Crew, mutant: Mutant | None) -> None:
    """As one that reads from the terminal does, in a worker that was started from one. Its neighbours lose no attempt."""
    crew.start(threads=1, mutant=mutant)
    job_id = crew.queue.put("stops_itself")
    crew.began(3, task="stops_itself")
    waiting = crew.queue.put("adds", a=1, b=2)

    assert crew.queue.ending(job_id, within_s=patience_s(mutant))["status"] == "failed"
    assert crew.queue.attempts(job_id) == ["crashed"] * 3
    assert crew.queue.ending(waiting)["attempt"] == 1


def a_task_that_closes_what_is_not_its_own_is_a_dead_letter(crew: Crew, mutant: Mutant | None) -> None:
    """Connections that it opens then have the numbers of ours, and its end would be told to one of them."""
    crew.start(threads=1, mutant=mutant)
    job_id = crew.queue.put("closes_everything")

    assert crew.queue.ending(job_id, within_s=patience_s(mutant))["status"] == "failed"
    assert crew.queue.attempts(job_id) == ["crashed"] * 3


def a_daemon_does_not_outlive_the_child_that_it_comes_from(crew: Crew, mutant: Mutant | None) -> None:
    """It has a session and a parent of its own; what a living child has started stays."""
    crew.start(threads=2, mutant=mutant)
    crew.queue.ending(crew.queue.put("starts_a_service"))
    job_id = crew.queue.put("becomes_a_daemon")
    crew.queue.ending(job_id)
    service, daemon, its_program = (each["its"] for each in crew.diary("grandchild"))

    for pid in (daemon, its_program):
        until(lambda pid=pid: not is_alive(pid), within_s=patience_s(mutant), why="the daemon lives")
    assert is_alive(service)
    crew.supervisors[0].signal(signal.SIGTERM)
    crew.supervisors[0].wait()
    assert not is_alive(service)


def what_a_child_leaves_in_its_group_dies_with_it(crew: Crew, mutant: Mutant | None) -> None:
    """Also what carries no mark by which it could be found: the group is killed before its number may be another's."""
    crew.start(mutant=mutant)
    crew.queue.ending(crew.queue.put("leaves_a_program"))
    ends_soon(crew.diary("grandchild")[0]["its"], mutant)


def a_service_dies_with_the_worker(crew: Crew, mutant: Mutant | None) -> None:
    """It has a session of its own, so no group that is killed has it, and the child that started it is alive until then."""
    crew.start(mutant=mutant)
    service = a_service_that_only_the_nursery_can_end(crew)
    ((_, worker),) = crew.queue.workers()

    os.kill(worker, signal.SIGKILL)

    ends_soon(service, mutant)


def a_service_dies_with_the_supervisor(crew: Crew, mutant: Mutant | None) -> None:
    """All that is above it dies in one moment, but for the nursery, which is told and not killed."""
    supervisor = crew.start(mutant=mutant)
    service = a_service_that_only_the_nursery_can_end(crew)

    os.kill(supervisor.pid, signal.SIGKILL)

    ends_soon(service, mutant)


def a_service_that_only_the_nursery_can_end(crew: Crew) -> int:
    """The child would, too, if it learned of its worker's death before it died itself; so it is stopped."""
    crew.queue.ending(crew.queue.put("starts_a_service"))
    (started,) = crew.diary("grandchild")
    os.kill(started["pid"], signal.SIGSTOP)
    return int(started["its"])


def ends_soon(pid: int, mutant: Mutant | None) -> None:
    try:
        until(lambda: not is_alive(pid), within_s=patience_s(mutant), why="it lives on")
    finally:
        if is_alive(pid):
            os.kill(pid, signal.SIGKILL)


def a_child_that_ended_itself_with_the_lease_is_no_crash(crew: Crew, mutant: Mutant | None) -> None:
    """Its worker was frozen; nobody else was there to rescue, so the worker finds its jobs still its own."""
    crew.start(threads=1, mutant=mutant, rescue_interval_s=60)
    job_id = crew.queue.put("waits", until=str(crew.gate()))
    child = crew.began()[0]["pid"]
    ((_, worker),) = crew.queue.workers()
    nursery = psutil.Process(child).parent()
    assert nursery is not None

    def is_reported() -> bool:
        """Or the worker may see its lease run out before it hears of the death, and kills what is dead."""
        return not psutil.pid_exists(child) and nursery.status() == psutil.STATUS_SLEEPING

    os.kill(worker, signal.SIGSTOP)
    try:
        until(is_reported, within_s=10, why="the child outlives its worker's lease")
    finally:
        os.kill(worker, signal.SIGCONT)

    crew.began(2)
    crew.gate().touch()
    crew.queue.ending(job_id)
    assert crew.queue.attempts(job_id) == ["succeeded"]


def a_supervisor_that_was_frozen_goes_on(crew: Crew, mutant: Mutant | None) -> None:
    """It had stopped its workers and left, with 0, as if somebody had asked for it."""
    supervisor = crew.start(mutant=mutant)
    ((_, worker),) = crew.queue.workers()
    waits = psutil.STATUS_SLEEPING
    until(lambda: psutil.Process(supervisor.pid).status() == waits, why="the supervisor waits for signals")
    os.kill(supervisor.pid, signal.SIGSTOP)
    os.kill(worker, signal.SIGKILL)
    thaw_at = time.monotonic() + 1.5
    until(lambda: time.monotonic() > thaw_at)
    os.kill(supervisor.pid, signal.SIGCONT)

    job_id = crew.queue.put("adds", a=1, b=2)

    crew.queue.ending(job_id, within_s=patience_s(mutant))
    assert supervisor.process.poll() is None


def what_a_task_started_dies_with_its_worker_under_a_stopped_nursery(crew: Crew, mutant: Mutant | None) -> None:
    """It is the nursery that would end it; so the child does that, too, when its worker is gone."""
    crew.start(mutant=mutant)
    crew.queue.put("has_a_daemon", until=str(crew.gate()))
    (grandchild,) = until(lambda: crew.diary("grandchild"), why="the grandchild lives")
    nursery = psutil.Process(crew.began()[0]["pid"]).parent()
    assert nursery is not None
    nursery.suspend()
    ((_, worker),) = crew.queue.workers()
    try:
        os.kill(worker, signal.SIGKILL)

        until(
            lambda: not is_alive(grandchild["pid"]),
            within_s=patience_s(mutant),
            why="the grandchild outlives the worker",
        )
    finally:
        with contextlib.suppress(psutil.NoSuchProcess):
            nursery.kill()
        if is_alive(grandchild["pid"]):
            os.kill(grandchild["pid"], signal.SIGKILL)


def a_stopped_nursery_is_replaced(crew: Crew, mutant: Mutant | None) -> None:
    """What ran under it may have stopped it, and counts as crashed; what needs a child of its own is waited for no longer."""
    supervisor = crew.start(threads=2, mutant=mutant)
    running = crew.queue.put("waits", until=str(crew.gate()))
    nursery = psutil.Process(crew.began()[0]["pid"]).parent()
    assert nursery is not None
    nursery.suspend()

    crew.queue.put("tells_pid")

    until(lambda: not is_alive(nursery.pid), within_s=patience_s(mutant), why="the stopped nursery is still there")
    crew.gate().touch()
    assert crew.queue.ending(running)["attempt"] == 1
    assert crew.queue.attempts(running) == ["crashed", "succeeded"]
    assert not supervisor.said("worker died")


def a_worker_that_stays_frozen_does_not_keep_its_supervisor(crew: Crew, mutant: Mutant | None) -> None:
    """It is killed 5 s after its grace period and one statement's deadline, and what a task had started goes with it."""
    supervisor = crew.start(mutant=mutant, shutdown_grace_s=0.5, statement_deadline_s=0.5, lease_s=30.0)
    crew.queue.put("has_a_daemon", until=str(crew.gate()))
    (grandchild,) = until(lambda: crew.diary("grandchild"), why="the grandchild lives")
    ((_, worker),) = crew.queue.workers()
    os.kill(worker, signal.SIGSTOP)

    supervisor.signal(signal.SIGTERM)

    until(lambda: supervisor.process.poll() is not None, within_s=9, why="the supervisor waits for a frozen worker")
    assert supervisor.wait() == 0
    assert supervisor.said("worker killed, it was told to stop and did not queue=maintenance")
    assert not is_alive(worker)
    assert not is_alive(grandchild["pid"])


GUARDS: dict[Check, Mutant] = {
    what_waits_behind_a_long_job_runs_elsewhere: Mutant(CHILD, "_Child.take", '"recall" in message', "False"),
    a_stopped_child_is_replaced: Mutant(CHILDREN, "Children.snapshot", "if is_frozen and child.was_frozen", "if False"),
    a_task_that_stops_its_process_is_a_dead_letter: Mutant(
        CHILDREN, "Children.snapshot", "death.kill_group(child.pid)", "self._kill(child, None, Happened.HANDED_BACK)"
    ),
    a_task_that_closes_what_is_not_its_own_is_a_dead_letter: Mutant(
        CHILD, "_Child.end_if_spoiled", "os.fstat(self.sock.fileno()).st_ino != self.sock_inode", "False"
    ),
    a_daemon_does_not_outlive_the_child_that_it_comes_from: Mutant(
        "youtility_tasks.workers.strays", "Strays.kill_left", "_kill(pid)", "pass"
    ),
    what_a_child_leaves_in_its_group_dies_with_it: Mutant(
        "youtility_tasks.workers.family", "reap", "os.killpg(dead.si_pid, signal.SIGKILL)", "pass"
    ),
    a_service_dies_with_the_worker: Mutant(NURSERY, "_keep", "below.kill_all()", "pass"),
    a_service_dies_with_the_supervisor: Mutant(
        NURSERY, "_keep", "told_by = signal.SIGKILL if last else signal.SIGHUP", "told_by = signal.SIGKILL"
    ),
    a_child_that_ended_itself_with_the_lease_is_no_crash: Mutant(
        CHILDREN, "Children._bury", "child.killed_for is None and child.board.has_given_up()", "False"
    ),
    a_supervisor_that_was_frozen_goes_on: Mutant(
        SUPERVISOR,
        "Supervisor.run",
        "heard.si_signo in (signal.SIGTERM, signal.SIGINT)",
        "heard.si_signo != signal.SIGCHLD",
    ),
    what_a_task_started_dies_with_its_worker_under_a_stopped_nursery: Mutant(
        CHILD, "main", "if not is_told", "if is_told is None"
    ),
    a_stopped_nursery_is_replaced: Mutant(CHILDREN, "Children.look_at_clocks", "child.is_unheard_of()", "False"),
    a_worker_that_stays_frozen_does_not_keep_its_supervisor: Mutant(
        SUPERVISOR, "Supervisor._kill_the_late", "time.monotonic() < self.kill_at", "True"
    ),
}


@pytest.mark.parametrize("check", GUARDS, ids=lambda check: check.__name__)
def test_a_guard_keeps_its_promise(crew: Crew, check: Check) -> None:
    check(crew, None)


@pytest.mark.parametrize("check", GUARDS, ids=lambda check: check.__name__)
def test_without_its_guard_a_promise_is_broken(crew: Crew, check: Check) -> None:
    with pytest.raises(AssertionError):
        check(crew, GUARDS[check])
