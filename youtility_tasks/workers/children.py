"""A worker's children, seen from the worker: feed, kill, recycle, read what came back."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from youtility_tasks.conf import QueueSettings, settings
from youtility_tasks.declaration import Task
from youtility_tasks.finish import Happened
from youtility_tasks.status import Replacement

from . import death, processes, wire
from .board import Board
from .nurseries import Nurseries
from .nursery import Matron, Nursery
from .replaced import Replaced

logger = logging.getLogger(__name__)

_LONG_BLINK_S = 1.0
"""This process looks at clocks every half second; after a longer pause it was stopped itself."""

_SHOWN_RUNNING = 20
"""Most jobs of a child that the heartbeat names; one of coroutines may run hundreds."""

Report = Callable[[dict[str, Any]], None]


@dataclass(eq=False, slots=True)
class Job:
    """A job that this worker has claimed and whose end the database has not confirmed."""

    job_id: int
    claim_number: int
    task_name: str
    args: str
    """As JSON text, which the worker passes on unread."""
    attempt: int
    tenant_id: int
    worker_id: int
    task: Task | None
    crash_count: int = 0
    has_lock: bool = False
    is_async: bool = False
    hard_deadline: float | None = None
    """Monotonic seconds after which the child is killed; known once the job was seen to run."""
    abort_deadline: float | None = None
    begin_by: float | None = None
    """Monotonic seconds after which it is not begun any more; None: it does not expire."""
    trace: Sequence[Any] | None = None
    """Of a traced job: see `spans.Told`."""
    taken_at_ns: int = 0
    """Of a traced job: by this host's clock."""

    @property
    def runs_alone(self) -> bool:
        """Whether it gets a child to itself: it was in one that crashed, or its task is declared `isolated`."""
        return self.crash_count > 0 or (self.task is not None and self.task.isolated)


@dataclass(eq=False, slots=True)
class Child:
    """One process. `alone` means that it was born for a single job."""

    sock: socket.socket
    board: Board
    nursery: Nursery | None
    """None once it has died, and the child with it."""
    alone: bool
    pid: int | None = None
    jobs: dict[int, Job] = field(default_factory=dict)
    taken: int = 0
    done: int = 0
    """Jobs of it that have ended."""
    retiring: bool = False
    leaves_for: Replacement | None = None
    """Why it is let go or was killed; None also where it is not replaced: it was born for one job, or the worker leaves."""
    leaves_how: str = ""
    """The same in a few words."""
    heard_at: float = field(default_factory=time.monotonic)
    stuck: bool = False
    """It was asked to give back what no thread has begun, and has not ended anything since."""
    hung_up: bool = False
    """It has closed its end, as it does at the latest when it dies."""
    was_frozen: bool = False
    """Its process was stopped (SIGSTOP) at the last look."""
    killed_for: int | None = None
    """The job for whose sake it was killed; its neighbours are not to blame."""
    killed_how: Happened = Happened.CRASHED
    inbox: wire.Inbox = field(default_factory=wire.Inbox)
    outbox: bytearray = field(default_factory=bytearray)

    def is_unheard_of(self) -> bool:
        """Whether its nursery should have told of its birth, or its death."""
        return self.pid is None or (self.hung_up and death.is_dead(self.pid))


class Children:
    """The children of one worker. Every method is called on the worker's loop.

    `report` is called with each ending. Of what a dead child leaves unfinished, the jobs that were running are reported
    as crashed (each runs alone next time), or by the reason for which the child was killed; the jobs that waited behind
    them, and the neighbours of one that was killed, are handed back. A nursery dies with all its children; since each of
    them may have killed it, a job that crashed before has a nursery to itself as well.
    """

    def __init__(
        self, matron: Matron, shape: QueueSettings, report: Report, hear: Callable[[Job, Any], None] | None = None
    ) -> None:
        self.shape, self.report, self.hear = shape, report, hear
        self.members: list[Child] = []
        self.lease_deadline = 0.0
        self.looked_at = time.monotonic()
        self.replaced = Replaced()
        self.memory_bytes = 0
        """Of all children, at the last heartbeat."""
        self._loop = asyncio.get_running_loop()
        self.nurseries = Nurseries(matron, heard=self._hear_nursery, lost=self._lose)
        self.gone = self.nurseries.gone

    def running(self) -> int:
        """How many jobs the children hold, those that wait inside them included."""
        return sum(len(child.jobs) for child in self.members)

    def stuck(self) -> int:
        """How many children have had to give back what they had ahead."""
        return sum(child.stuck for child in self.members)

    def give(self, jobs: Iterable[Job]) -> None:
        """Hand jobs to children, one message a child: to those with the least, or to new ones; some get one to themselves."""
        letters: dict[Child, list[Job]] = {}
        for job in jobs:
            child = self._bear(alone=True, apart=job.crash_count > 0) if job.runs_alone else self._with_room()
            child.jobs[job.job_id] = job
            child.taken += 1
            letters.setdefault(child, []).append(job)
        for child, given in letters.items():
            if len(given) == len(child.jobs):
                child.heard_at = time.monotonic()  # it had nothing to say before
            letter = {"run": [_assignment(job) for job in given]}
            traces = [[job.job_id, *job.trace] for job in given if job.trace is not None]
            self._send(child, letter | {"traces": traces} if traces else letter)

    def extend_lease(self, deadline: float) -> None:
        """Let children run until then, in monotonic seconds, even if nothing more is heard of this worker."""
        self.lease_deadline = deadline
        for child in self.members:
            child.board.extend(deadline)

    def abort(self, job_id: int) -> None:
        """Ask a running job to end; its child is killed if it does not."""
        child = self._holder(job_id)
        if child is not None and child.jobs[job_id].abort_deadline is None:
            child.jobs[job_id].abort_deadline = time.monotonic() + settings().abort_grace_s
            self._send(child, {"abort": [job_id]})

    def drop(self, job_id: int) -> None:
        """Stop a job that is no longer ours, and forget it."""
        child = self._holder(job_id)
        if child is not None:
            del child.jobs[job_id]
            self._kill(child, job_id, Happened.HANDED_BACK, Replacement.LOST, "its job was no longer the worker's")

    def kill_all(self, how: Happened = Happened.HANDED_BACK) -> None:
        """Kill every child; what they hold is reported as `how`."""
        for child in self.members:
            self._kill(child, None, how)

    def forget_all(self) -> None:
        """Kill every child and report nothing: the jobs are no longer ours."""
        for child in self.members:
            child.jobs.clear()
            self._kill(child, None, Happened.HANDED_BACK, Replacement.LOST, "the worker's lease ran out")

    def look_at_clocks(self) -> None:
        """Kill children whose jobs outstayed a hard limit or an abort; call back what waits in one that is held up."""
        now = time.monotonic()
        was_stopped = now - self.looked_at > _LONG_BLINK_S
        self.looked_at = now
        for child in list(self.members):
            if was_stopped:
                child.heard_at = now  # what it said meanwhile is still to be read
            self._bury_if_orphan(child)
            if now - child.heard_at > settings().lease_s and child.nursery is not None and child.is_unheard_of():
                self.nurseries.give_up(child.nursery)
            running = child.board.running() if child.jobs else set()
            for job_id, job in child.jobs.items():
                if job.hard_deadline is None and job_id in running and job.task and job.task.timeout_s is not None:
                    job.hard_deadline = now + job.task.timeout_s + settings().soft_limit_grace_s
                if job.abort_deadline is not None and now >= job.abort_deadline:
                    self._kill(child, job_id, Happened.ABORTED, Replacement.ABORTED, "it was asked to end")
                elif job.hard_deadline is not None and now >= job.hard_deadline:
                    logger.warning("job killed at its hard limit id=%s task=%s", job_id, job.task_name)
                    self._kill(child, job_id, Happened.TIMED_OUT, Replacement.TIMED_OUT, _limit(job))
            silent_s = now - child.heard_at
            if running and silent_s > settings().recall_s and not child.stuck and not child.jobs.keys() <= running:
                child.stuck = True
                self._send(child, {"recall": True})
            elif child.jobs and not running and silent_s > settings().lease_s:
                logger.warning("child killed, it begins nothing pid=%s jobs=%s", child.pid, len(child.jobs))
                self._kill(child, None, Happened.HANDED_BACK, Replacement.STUCK, "it began nothing")

    def rouse(self) -> None:
        """Wake the child that a job would be given, while it is claimed: after a pause its code is in no cache, and it takes 0.3 ms longer."""
        if not any(child.jobs for child in self.members):
            child = _least_busy(self._shared())
            if child is not None and not child.outbox:
                self._send(child, {"rouse": True})

    def recall(self) -> None:
        """Ask each child for what no thread of it has begun: it goes back to the queue."""
        for child in self.members:
            if child.jobs and child.killed_for is None:
                self._send(child, {"recall": True})

    def snapshot(self) -> list[dict[str, Any]]:
        """For the heartbeat: pid, resident bytes and jobs of each child; retires the ones grown too large and kills those
        that have been stopped for two heartbeats."""
        shown: list[dict[str, Any]] = []
        in_all = 0
        for child in self.members:
            if child.pid is None:
                continue
            size = 0
            with contextlib.suppress(processes.Gone):
                size = processes.resident_bytes(child.pid)
                is_frozen = processes.state(child.pid) == "T"
                if is_frozen and child.was_frozen:
                    logger.warning("child killed, it is stopped pid=%s jobs=%s", child.pid, sorted(child.jobs))
                    child.leaves_for, child.leaves_how = Replacement.STUCK, "it was stopped (SIGSTOP)"
                    death.kill_group(child.pid)  # what ran may have stopped it, and would again: it has crashed
                child.was_frozen = is_frozen
            if size > settings().max_child_memory_mib * 1024 * 1024 and not child.retiring:
                logger.warning("child retires pid=%s memory_mib=%s", child.pid, size // 1024 // 1024)
                self._retire(child, Replacement.MEMORY, f"{size // 1024 // 1024} MiB")
            in_all += size
            running = sorted(child.board.running() & child.jobs.keys())[:_SHOWN_RUNNING]
            held = {"jobs": len(child.jobs), "done": child.done, "running": running}
            shown.append({"pid": child.pid, "memory_bytes": size, **held})
        self.memory_bytes = in_all
        return shown

    def pids(self) -> set[int]:
        """Of the children, and of the nurseries that fork them."""
        nurseries = {self.nurseries.shared, *(each.nursery for each in self.members if each.nursery is not None)}
        known = (*(each.pid for each in self.members), *(each.pid for each in nurseries))
        return {pid for pid in known if pid is not None}

    def close(self) -> None:
        """Kill the children that are left."""
        for child in list(self.members):
            self._kill(child, None, Happened.HANDED_BACK)
            self._part_from(child)
        self.nurseries.close()

    def _holder(self, job_id: int) -> Child | None:
        return next((child for child in self.members if job_id in child.jobs), None)

    def _shared(self) -> list[Child]:
        most = settings().max_jobs_per_child
        return [c for c in self.members if not c.alone and not c.retiring and c.killed_for is None and c.taken < most]

    def _with_room(self) -> Child:
        shared = self._shared()
        least = _least_busy(shared)
        # With work to share, each child has a thread's worth before another one has two.
        if least is None or (least.jobs and len(shared) < self.shape.processes):
            return self._bear(alone=False, apart=False)
        return least

    def _bear(self, *, alone: bool, apart: bool) -> Child:
        board, board_fd = Board.make()
        board.extend(self.lease_deadline)
        nursery = self.nurseries.open() if apart else self.nurseries.shared
        try:
            child = Child(nursery.ask(board_fd), board, nursery, alone)
        finally:
            os.close(board_fd)
        self.members.append(child)
        self._loop.add_reader(child.sock, self._hear_child, child)
        return child

    def _send(self, child: Child, message: dict[str, Any]) -> None:
        child.outbox += wire.pack(message)
        self._flush(child)

    def _flush(self, child: Child) -> None:
        # A child whose main thread is held up by user code does not read; that must never block the worker.
        try:
            sent = child.sock.send(child.outbox)
            del child.outbox[:sent]
        except BlockingIOError:
            pass
        except OSError:
            child.outbox.clear()  # it is dying; the nursery will say so
        if child.outbox:
            self._loop.add_writer(child.sock, self._flush, child)
        else:
            self._loop.remove_writer(child.sock)

    def _hear_child(self, child: Child) -> None:
        messages = wire.receive(child.sock, child.inbox)
        if messages is None:
            self._loop.remove_reader(child.sock)
            child.hung_up, child.heard_at = True, time.monotonic()
            self._bury_if_orphan(child)
            return
        self._heard(child, messages)
        if child.inbox.is_garbled and child.pid is not None:
            logger.error("child killed, nobody understands what it says pid=%s jobs=%s", child.pid, sorted(child.jobs))
            self._loop.remove_reader(child.sock)
            death.kill_group(child.pid)
        has_done_share = not child.alone and child.taken >= settings().max_jobs_per_child
        if child.retiring or child.alone or has_done_share:
            self._retire(child, Replacement.JOBS if has_done_share else None, f"{child.taken} jobs")

    def _heard(self, child: Child, messages: list[dict[str, Any]]) -> None:
        for message in messages:
            if "progress" in message:
                self._hear_progress(child, message["progress"])
            for ending in message["ended"]:
                if ending["happened"] != Happened.HANDED_BACK:
                    child.stuck, child.heard_at = False, time.monotonic()
                self._ended(child, ending)

    def _hear_progress(self, child: Child, rows: Any) -> None:
        for row in rows if isinstance(rows, list) else ():
            is_one = isinstance(row, list) and len(row) > 2 and isinstance(row[0], int)
            job = child.jobs.get(row[0]) if is_one else None
            if self.hear is not None and job is not None and job.claim_number == row[1]:
                self.hear(job, row[2:])

    def _ended(self, child: Child, ending: dict[str, Any]) -> None:
        job = child.jobs.get(ending["id"])
        # A child can only speak for jobs that it was given, under the claim it was given.
        if job is not None and job.claim_number == ending["claim_number"]:
            del child.jobs[ending["id"]]
            child.done += ending["happened"] != Happened.HANDED_BACK
            last = ending.pop("progress", None)
            if last is not None and self.hear is not None:
                self.hear(job, last[2:])
            self.report({**ending, "pid": child.pid})

    def _retire(self, child: Child, why: Replacement | None, how: str) -> None:
        """Give it no more jobs, and let it go once it has none; the first reason stands."""
        child.retiring = True
        if child.leaves_for is None and why is not None:
            child.leaves_for, child.leaves_how = why, how
        if not child.jobs:
            self._send(child, {"stop": True})

    def _kill(
        self, child: Child, job_id: int | None, how: Happened, why: Replacement | None = None, words: str = ""
    ) -> None:
        if child.killed_for is not None or child.killed_how is not Happened.CRASHED:
            return
        child.killed_for, child.killed_how = job_id if job_id is not None else -1, how
        child.leaves_for, child.leaves_how = why, words
        if child.pid is not None:
            death.kill_group(child.pid)

    def _hear_nursery(self, nursery: Nursery, item: dict[str, int]) -> None:
        theirs = (child for child in self.members if child.nursery is nursery)
        if "born" in item:
            child = next(each for each in theirs if each.pid is None)
            child.pid = item["born"]
            if child.killed_for is not None or child.inbox.is_garbled:
                death.kill_group(child.pid)
        else:
            found = next((each for each in theirs if each.pid == item["died"]), None)
            if found is not None:
                self._bury(found, item["status"])

    def _lose(self, nursery: Nursery) -> None:
        """A nursery has died; its children die with it, and are buried once they are gone."""
        orphans = [child for child in self.members if child.nursery is nursery]
        running = [job_id for child in orphans for job_id in child.board.running()]
        logger.warning("nursery died children=%s running=%s", len(orphans), sorted(running))
        if not running and not nursery.given_up:
            self.gone.set()  # no job is to blame, and the next nursery may fare no better: our supervisor has more patience
        for child in orphans:
            child.nursery, child.retiring = None, True
            if child.pid is not None:
                death.kill_group(child.pid)
            self._bury_if_orphan(child)

    def _bury_if_orphan(self, child: Child) -> None:
        if child.nursery is None and (child.hung_up or (child.pid is not None and death.is_dead(child.pid))):
            self._bury(child, None)

    def _bury(self, child: Child, status: int | None) -> None:
        """Of what it held, say what has become of it; status: None if it died with its nursery."""
        self._heard(child, wire.receive_rest(child.sock, child.inbox))
        ran = child.board.running()
        if child.killed_for is None and child.board.has_given_up():
            child.killed_for, child.killed_how = -1, Happened.HANDED_BACK  # it ended itself: its jobs may run elsewhere
            child.leaves_for, child.leaves_how = Replacement.LOST, "its lease ran out"
        elif child.inbox.is_garbled or (status is not None and not ran and child.taken == len(child.jobs)):
            # One of them has written where it should not; or it died before it began anything, and would again.
            ran = set(child.jobs)
        self.members.remove(child)
        self._part_from(child)
        died = "with its parent, the nursery" if status is None else death.manner(status)
        if child.jobs:
            logger.warning("child died pid=%s how=%r jobs=%s", child.pid, died, sorted(child.jobs))
        self._note(child, status, died, ran)
        for job_id, job in list(child.jobs.items()):
            blamed = job_id in ran if child.killed_for is None else child.killed_for in (-1, job_id)
            how = child.killed_how if blamed else Happened.HANDED_BACK
            self._ended(child, death.unfinished(job_id, job.claim_number, how, died))

    def _note(self, child: Child, status: int | None, died: str, ran: set[int]) -> None:
        """Enter why it is replaced, before its jobs are reported; `ran`: the jobs that its death is blamed on."""
        why, how = child.leaves_for, child.leaves_how
        went_as_told = status == 0 and not child.jobs
        if child.killed_for is None and not went_as_told and why is not Replacement.STUCK:
            why = Replacement.NURSERY if status is None else Replacement.CRASHED
            how = "it said what nobody understands" if child.inbox.is_garbled else died
        if why is not None:
            blamed = ran if child.killed_for in (None, -1) else {child.killed_for}
            self.replaced.note(child.pid or 0, why, how, sorted(each for each in blamed if each in child.jobs))

    def _part_from(self, child: Child) -> None:
        """Close what we have of it, its nursery too if nobody else is in it."""
        self._loop.remove_reader(child.sock)
        self._loop.remove_writer(child.sock)
        child.sock.close()
        child.board.close()
        if child.nursery is not None:
            self.nurseries.leave(child.nursery)


def _least_busy(children: list[Child]) -> Child | None:
    return min(children, key=lambda child: (child.stuck, len(child.jobs)), default=None)


def _limit(job: Job) -> str:
    return f"its limit is {job.task.timeout_s:g} s" if job.task and job.task.timeout_s is not None else ""


def _assignment(job: Job) -> list[Any]:
    """A job on the wire, in the order of `run.Assignment`."""
    return [
        job.job_id,
        job.claim_number,
        job.task_name,
        job.args,
        job.attempt,
        job.tenant_id,
        job.worker_id,
        job.begin_by,
    ]
