"""What injures a run: each fault is a named function of the stage, which says what it did and to whom."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import psutil
import psycopg

from .crew import Crew, NotInTime, until
from .entries import Kind
from .ledger import Ledger
from .proxy import Cut, Proxy, after_claim, after_commit, after_finish

_SETTLE_S = 0.3
_HOLDS = 8
_STILL = (psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE)


@dataclass(slots=True)
class Injury:
    """What came of a fault: a cut that found nothing to cut has hit nothing."""

    hits: int = 1


@dataclass(frozen=True, slots=True)
class Stage:
    """What a fault may reach."""

    crew: Crew
    ledger: Ledger
    proxy: Proxy
    """Between the workers and the database."""
    gate: Proxy
    """Between the generator and the database."""
    rng: random.Random

    @property
    def lease_s(self) -> float:
        return float(self.crew.settings.get("lease_s", 10.0))

    @property
    def deadline_s(self) -> float:
        return float(self.crew.settings.get("statement_deadline_s", 5.0))

    @contextlib.contextmanager
    def recorded(self, name: str, pids: list[int] | str, after_s: float = 0.0) -> Iterator[Injury]:
        """Around the injury: an entry of the ledger from now until it is healed, and `after_s` longer."""
        start = time.monotonic_ns()
        injury = Injury()
        try:
            yield injury
        finally:
            end = time.monotonic_ns() + int(after_s * 1e9)
            about = {"fault": name, "pids": pids, "from": start, "to": end, "hits": injury.hits}
            self.ledger.write(Kind.NEMESIS, **about)


Fault = Callable[[Stage], None]


def kill_child(stage: Stage) -> None:
    """A1: SIGKILL to a process that runs a task."""
    pid = _a_child(stage)
    with stage.recorded("kill a child", [pid]):
        _signal(pid, signal.SIGKILL)
        _wait_until_dead([pid])


def kill_nursery(stage: Stage) -> None:
    """A11: SIGKILL to the parent of a process that runs a task; all its children die with it, and their worker lives."""
    pid, *_ = until(lambda: _nurseries(stage), "the nursery of a process that runs a task lives")
    _signal(pid, signal.SIGSTOP)  # so that none is born between the listing and the kill
    with contextlib.suppress(psutil.NoSuchProcess):
        until(lambda: psutil.Process(pid).status() in _STILL, "the nursery stands still")
    family = _pids(stage, pid)
    with stage.recorded("kill a nursery", family):
        _signal(pid, signal.SIGKILL)
        _wait_until_dead(family)  # until then they run on, and may begin a job that dies with them


def kill_worker(stage: Stage) -> None:
    """A2: SIGKILL to a worker; its supervisor starts another."""
    pid = _a_worker(stage)
    with stage.recorded("kill a worker", _pids(stage, pid), stage.lease_s):
        _signal(pid, signal.SIGKILL)


def kill_supervisor(stage: Stage) -> None:
    """A2, A3: SIGKILL to a supervisor; its workers and children die with it, and a new one is started."""
    victim = stage.rng.choice(stage.crew.alive())
    with stage.recorded("kill a supervisor", _pids(stage, victim.pid), stage.lease_s):
        victim.kill()
        victim.wait(10)
        stage.crew.start()


def freeze_worker(stage: Stage) -> None:
    """A5: a worker stands still for longer than its lease, while its children run on; then it wakes up."""
    pid = _a_worker(stage)
    with stage.recorded("freeze a worker", _pids(stage, pid), stage.lease_s):
        _frozen(stage, [pid])


def freeze_family(stage: Stage) -> None:
    """A4: the zombie. A worker and its children stand still for longer than their lease, and wake up together."""
    pids = _pids(stage, _a_worker(stage))
    with stage.recorded("freeze a worker with its children", pids, stage.lease_s):
        _frozen(stage, pids)


def freeze_child(stage: Stage) -> None:
    """A child stands still for longer than the lease; its worker goes on renewing, so nothing is rescued."""
    pid = _a_child(stage)
    with stage.recorded("freeze a child", [pid]):
        _frozen(stage, [pid])


def rolling_restart(stage: Stage) -> None:
    """A9: SIGTERM to each supervisor in turn, and another in its place."""
    for victim in stage.crew.alive():
        with stage.recorded("rolling restart", _pids(stage, victim.pid)):
            stage.crew.start()
            with contextlib.suppress(TimeoutError):
                stage.crew.stop(victim)


def stop_twice(stage: Stage) -> None:
    """A9: SIGTERM and SIGTERM again: what runs is handed back."""
    victim = stage.rng.choice(stage.crew.alive())
    with stage.recorded("two SIGTERMs", _pids(stage, victim.pid)):
        victim.send_signal(signal.SIGTERM)
        time.sleep(0.1)
        victim.send_signal(signal.SIGTERM)
        victim.wait(30)
        stage.crew.start()


def restart_database(stage: Stage) -> None:
    """B21: PostgreSQL stops at once, without a checkpoint, and starts again a second later."""
    _crash_database(stage, "immediate restart of PostgreSQL", signal.SIGQUIT)


def kill_database(stage: Stage) -> None:
    """B33: SIGKILL to the postmaster, and a start through recovery."""
    _crash_database(stage, "PostgreSQL killed", signal.SIGKILL)


def terminate_in_finish(stage: Stage) -> None:
    """B22: the worker's session is terminated while its finish waits for a row."""
    place = stage.crew.place
    with (
        stage.recorded("session terminated in finish", "*", stage.lease_s) as injury,
        place.connect() as holder,
        place.connect() as killer,
    ):
        injury.hits = 0
        for _ in range(_HOLDS):  # what runs when it is held may be what ends last, or nothing
            with contextlib.suppress(NotInTime), holder.transaction():
                holder.execute("SELECT id FROM procrastinate_jobs WHERE status = 'doing' FOR UPDATE SKIP LOCKED")
                injury.hits = len(
                    until(lambda: killer.execute(_TERMINATE_WAITING).fetchall(), "a finish waits", within_s=1)
                )
            if injury.hits:
                return


def terminate_all(stage: Stage) -> None:
    """Every session of the workers is terminated."""
    with stage.recorded("sessions terminated", "*", stage.lease_s), stage.crew.place.connect() as killer:
        killer.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name LIKE 'youtility worker%' AND pid <> pg_backend_pid()"
        )


def lock_table(stage: Stage) -> None:
    """B31: somebody holds the job table for longer than a statement may take, and longer than a lease."""
    with (
        stage.recorded("job table locked", "*", stage.lease_s),
        stage.crew.place.connect() as hog,
        hog.transaction(),
    ):
        hog.execute("LOCK TABLE procrastinate_jobs IN ACCESS EXCLUSIVE MODE")
        time.sleep(max(stage.deadline_s, stage.lease_s) * 1.5)


def go_deaf(stage: Stage) -> None:
    """C40: half-open connections: what is sent is taken, and nothing comes back, for longer than the lease."""
    with stage.recorded("half-open connections", "*", stage.lease_s + 2 * stage.deadline_s):
        stage.proxy.go_deaf()
        time.sleep(stage.lease_s * 1.5)
        stage.proxy.recover()


def cut_claims(stage: Stage) -> None:
    """B23: the replies to two claims are lost."""
    _cut(stage, "claim replies cut", stage.proxy, after_claim)


def cut_finishes(stage: Stage) -> None:
    """B23: the replies to two finishes are lost after they were committed."""
    _cut(stage, "finish replies cut", stage.proxy, after_finish)


def cut_enqueues(stage: Stage) -> None:
    """B24: the generator does not hear whether its COMMIT went through."""
    _cut(stage, "commit replies cut", stage.gate, after_commit)


def reset_storm(stage: Stage) -> None:
    """C43: every connection is reset, again and again."""
    with stage.recorded("reset storm", "*", stage.lease_s):
        for _ in range(6):
            stage.proxy.reset_all()
            time.sleep(_SETTLE_S)


def slow_network(stage: Stage) -> None:
    """C44: every reply takes 150 to 250 ms longer, and that is no reason to rescue anybody."""
    with stage.recorded("slow network", []):
        stage.proxy.delay_s = lambda: stage.rng.uniform(0.15, 0.25)
        time.sleep(stage.lease_s * 2)
        stage.proxy.delay_s = None


def deafen_listeners(stage: Stage) -> None:
    """C45: of the connections that are there none is told of anything any more, and none knows it; work is found by polling."""
    with stage.recorded("listeners deafened", []) as injury:
        injury.hits = stage.proxy.deafen_listeners()


def exhaust_connections(stage: Stage) -> None:
    """B34: strangers take every connection that is left, for longer than a lease."""
    with stage.recorded("connections exhausted", "*", stage.lease_s) as injury, contextlib.ExitStack() as strangers:
        injury.hits = 0
        with contextlib.suppress(psycopg.OperationalError):
            while True:
                strangers.enter_context(stage.crew.place.connect())
                injury.hits += 1
        time.sleep(stage.lease_s * 1.5)


def kill_generator(stage: Stage) -> None:
    """A8: who enqueues is killed, in a transaction or between two: a job exists if and only if it committed."""
    generator = stage.crew.generator
    with stage.recorded("kill the generator", []) as injury:
        injury.hits = int(generator is not None and generator.poll() is None)
        if generator is not None:
            generator.kill()


FAULTS: dict[str, Fault] = {
    fault.__name__: fault
    for fault in (
        kill_child, kill_nursery, kill_worker, kill_supervisor, freeze_worker, freeze_family, freeze_child, rolling_restart, stop_twice,
        restart_database, kill_database, terminate_in_finish, terminate_all, lock_table, go_deaf, cut_claims,
        cut_finishes, cut_enqueues, reset_storm, slow_network, deafen_listeners, exhaust_connections, kill_generator,
    )
}  # fmt: skip

_TERMINATE_WAITING = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
     WHERE application_name LIKE 'youtility worker%' AND wait_event_type = 'Lock'
"""


def _a_child(stage: Stage) -> int:
    """A process that runs a task now."""
    running = until(lambda: [one for one in stage.ledger.running() if _is_alive(one[0])], "a task runs")
    return stage.rng.choice(sorted({pid for pid, _ in running}))


def _nurseries(stage: Stage) -> list[int]:
    """The parent of such a process; none if it has just lost it, as then a stranger is its parent."""
    with contextlib.suppress(psutil.NoSuchProcess):
        parent = psutil.Process(_a_child(stage)).ppid()
        return [parent for _, worker, _ in stage.crew.workers() if parent in _pids(stage, worker)]
    return []


def _a_worker(stage: Stage) -> int:
    """A worker, one whose children have work if there is any."""
    alive = until(
        lambda: sorted({pid for _, pid, _ in stage.crew.workers() if _is_alive(pid)}), "a worker is registered"
    )
    busy = {pid for pid, _ in stage.ledger.running()}
    with_work = [pid for pid in alive if busy.intersection(_pids(stage, pid))]
    return stage.rng.choice(with_work or alive)


def _pids(stage: Stage, pid: int) -> list[int]:
    return [process.pid for process in stage.crew.family(pid)]


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _wait_until_dead(pids: list[int]) -> None:
    """Whether or not somebody has reaped them. A kill has come back before the killed have stopped running."""
    until(lambda: not any(_runs(pid) for pid in pids), "the killed are dead")


def _runs(pid: int) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    return False


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _frozen(stage: Stage, pids: list[int]) -> None:
    for pid in pids:
        _signal(pid, signal.SIGSTOP)
    time.sleep(stage.lease_s * 2)
    for pid in reversed(pids):  # the children first: they speak before their worker can have learnt of anything
        _signal(pid, signal.SIGCONT)


def _crash_database(stage: Stage, name: str, number: int) -> None:
    server = stage.crew.place.ground.queue
    with stage.recorded(name, "*", stage.lease_s):
        pid = server.pid()
        if pid is not None:
            os.kill(pid, number)
            until(lambda: server.pid() != pid, "the database is down")
        time.sleep(1)
        server.start()


def _cut(stage: Stage, name: str, where: Proxy, when: Cut) -> None:
    with stage.recorded(name, "*", stage.lease_s) as injury:
        before = where.cuts
        where.cut(when, 2)
        with contextlib.suppress(NotInTime):
            until(lambda: where.cuts >= before + 2, name, within_s=5)
        where.cut(when, 0)
        injury.hits = where.cuts - before
