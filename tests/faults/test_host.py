"""What only a whole host can do: die at once, run out of memory, start a hundred workers, hold a task in the kernel."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from tests.acceptance.crew import Crew, is_alive, until
from tests.faults.ground import memory_limit


def pids(crew: Crew) -> list[int]:
    """Every process of the first supervisor, itself first."""
    first = crew.supervisors[0]
    return [first.pid, *(process.pid for process in first.family())]


def all_are_moved(crew: Crew, group: Path) -> bool:
    """Put into the group whom it does not have, and say whether there was nobody."""
    members = set(map(int, (group / "cgroup.procs").read_text().split()))
    outside = [pid for pid in pids(crew) if pid not in members]
    for pid in outside:
        with contextlib.suppress(ProcessLookupError):
            (group / "cgroup.procs").write_text(str(pid))
    return not outside


def test_a_host_dies_with_all_its_processes_and_another_takes_its_jobs_over(crew: Crew) -> None:
    crew.start(processes=2, threads=2)
    gate = crew.gate()
    jobs = [crew.queue.put("waits", until=str(gate), name=str(n)) for n in range(4)]
    first = max(entry["at"] for entry in crew.began(4))
    crew.start(threads=4)  # another host; the job's own is alive

    for pid in pids(crew):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    last = max(entry["at"] for entry in crew.began(8))
    assert last - first < 15
    gate.touch()
    for job_id in jobs:
        assert crew.queue.ending(job_id)["attempt"] == 1
        assert crew.queue.attempts(job_id) == ["lost", "succeeded"]


def test_the_kernel_kills_a_child_for_its_memory_and_the_work_goes_on(crew: Crew) -> None:
    """The limit is that of the whole service, as in a container. It takes the child, and at times one more that stands before
    the supervisor; then there is another nursery or worker."""
    supervisor = crew.start(threads=2)
    with memory_limit(192) as group:
        until(lambda: all_are_moved(crew, group), why="whoever was forked meanwhile is in the group")
        glutton = crew.queue.put("eats", mib=600)
        ending = crew.queue.ending(glutton, within_s=60)  # near its limit all of the group is slow
        neighbour = crew.queue.put("adds", a=1, b=1)

        attempts = [
            each for each in crew.queue.attempts(glutton) if each != "lost"
        ]  # with its nursery, before it began
        assert attempts == ["crashed"] * 3
        assert (ending["error_class"], ending["task_name"]) == ("youtility_tasks.errors.ChildDied", "eats")
        how = ending["error_message"]
        assert "SIGKILL" in how or how == "The process that ran it died (with its parent, the nursery)."
        assert crew.queue.ending(neighbour)["result"] == 2
        assert supervisor.process.poll() is None
        crew.close()


def test_the_kernel_prefers_tasks_to_who_runs_them_when_it_wants_memory(crew: Crew) -> None:
    """After its first victim it may take a second before the memory is free, and that was the supervisor."""
    supervisor = crew.start()
    crew.queue.ending(crew.queue.put("starts_a_service"))
    (started,) = crew.diary("grandchild")
    ((_, worker),) = crew.queue.workers()
    child = psutil.Process(started["pid"])
    nursery = child.parent()
    assert nursery is not None

    def stands(pid: int) -> int:
        return int(Path(f"/proc/{pid}/oom_score_adj").read_text())

    line = [stands(pid) for pid in (supervisor.pid, worker, nursery.pid, child.pid, started["its"])]
    assert line[0] == stands(os.getpid())
    assert line[0] < line[1] < line[2] < line[3] == line[4]


def test_a_task_that_waits_for_a_file_lock_is_killed_at_its_hard_limit_and_its_slot_is_free(
    crew: Crew, tmp_path: Path
) -> None:
    crew.start(threads=1)
    locked = tmp_path / "locked"
    with locked.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        blocked = crew.queue.put("waits_for_a_file_lock", path=str(locked))
        (begun,) = crew.began()
        behind = crew.queue.put("adds", a=1, b=1)

        assert crew.queue.ending(behind, within_s=0.5 + 5)["status"] == "succeeded"

    ending = crew.queue.ending(blocked)
    assert (ending["outcome"], ending["error_class"]) == ("timed_out", "youtility_tasks.errors.HardTimeLimit")
    assert not is_alive(begun["pid"])


def test_a_child_that_cannot_be_killed_holds_up_nobody_else(crew: Crew) -> None:
    """Frozen by its control group it is in the kernel's hands, as behind a dead file server: SIGKILL waits as well."""
    crew.start(threads=2)
    blocked = crew.queue.put("is_deaf_in_c")
    (begun,) = crew.began()
    with frozen(begun["pid"]):
        until(lambda: crew.supervisors[0].said("hard limit"), why="its limit has passed")
        behind = [crew.queue.put("adds", a=n, b=1) for n in range(3)]
        for job_id in behind:
            assert crew.queue.ending(job_id, within_s=5)["status"] == "succeeded"
        assert crew.queue.statuses() == {blocked: "doing"}  # while its process is there, nobody else may run it

    assert crew.queue.ending(blocked)["outcome"] == "timed_out"


def test_a_child_that_cannot_be_killed_does_not_keep_its_worker_from_leaving(crew: Crew) -> None:
    supervisor = crew.start(threads=1)
    job_id = crew.queue.put("waits", until=str(crew.gate()))
    (begun,) = crew.began()
    with frozen(begun["pid"]):
        supervisor.signal(signal.SIGTERM)
        crew.next_heartbeat("draining")
        supervisor.signal(signal.SIGTERM)
        assert supervisor.wait(within_s=12) == 0
        assert crew.queue.statuses() == {job_id: "todo"}


@contextlib.contextmanager
def frozen(pid: int) -> Any:
    group = Path(f"/sys/fs/cgroup/freezer/yt-{pid}")
    try:
        group.mkdir()
    except OSError as error:
        pytest.skip(f"freezing is not permitted here, or only in a way that SIGKILL thaws: {error}")
    try:
        (group / "cgroup.procs").write_text(str(pid))
        (group / "freezer.state").write_text("FROZEN")
        yield
    finally:
        (group / "freezer.state").write_text("THAWED")
        until(lambda: not psutil.pid_exists(pid), why="the child is dead")
        group.rmdir()


SESSIONS, EACH = 100, 5


def test_a_hundred_workers_that_start_at_once_share_the_jobs_fairly(fresh_database: Any) -> None:
    """Each has a session of its own, and all claim in the same moment: they wait for one lock of the whole queue."""
    with psycopg.connect(fresh_database.url, autocommit=True) as owner, contextlib.ExitStack() as stack:
        owner.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, priority) SELECT 'email', 't', 5"
            " FROM generate_series(1, %s)",
            [SESSIONS * EACH],
        )
        began = time.monotonic()
        sessions = [stack.enter_context(psycopg.connect(fresh_database.url, autocommit=True)) for _ in range(SESSIONS)]
        register = "SELECT youtility_tasks_register_v1('h', 1, 1, 'email', 10)"
        workers = [each.execute(register).fetchall()[0][0] for each in sessions]
        owner.execute("SELECT pg_advisory_lock(1)")
        claim = (
            "WITH start AS MATERIALIZED (SELECT pg_advisory_lock_shared(1), clock_timestamp())"
            f" SELECT c.id FROM start, youtility_tasks_claim_v2('email', %s, {EACH}) c"
        )
        for each, worker in zip(sessions, workers, strict=True):
            each.pgconn.send_query_params(claim.replace("%s", "$1").encode(), [str(worker).encode()])
        waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        until(lambda: owner.execute(waiting).fetchone() == (SESSIONS,), why="all stand at the line")
        owner.execute("SELECT pg_advisory_unlock(1)")
        results = [each.pgconn.get_result() for each in sessions]
        took_s = time.monotonic() - began

        assert [result.error_message for result in results if result and result.error_message] == []
        assert [result.ntuples for result in results if result] == [EACH] * SESSIONS
        taken = Counter(result.get_value(n, 0) for result in results if result for n in range(result.ntuples))
        assert set(taken.values()) == {1} and len(taken) == SESSIONS * EACH
        assert took_s < 30
        for each in sessions:
            each.pgconn.get_result()
