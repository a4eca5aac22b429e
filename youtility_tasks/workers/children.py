"""A worker's children, seen from the worker: feed, kill, recycle, read what came back."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import psutil

from youtility_tasks.conf import QueueSettings, settings
from youtility_tasks.finish import Happened

from . import wire
from .nursery import Nursery
from .run import Assignment

logger = logging.getLogger(__name__)

Report = Callable[[dict[str, Any]], None]


@dataclass(eq=False, slots=True)
class Job:
    """A job that a child holds."""

    assignment: Assignment
    hard_deadline: float | None
    """Monotonic seconds after which the child is killed."""
    abort_deadline: float | None = None


@dataclass(eq=False, slots=True)
class Child:
    """One process. `alone` means that it was born for a single job."""

    sock: socket.socket
    alone: bool
    pid: int | None = None
    jobs: dict[int, Job] = field(default_factory=dict)
    taken: int = 0
    retiring: bool = False
    killed_for: int | None = None
    """The job for whose sake it was killed; its neighbours are not to blame."""
    killed_how: Happened = Happened.CRASHED
    inbox: wire.Inbox = field(default_factory=wire.Inbox)
    outbox: bytearray = field(default_factory=bytearray)


class Children:
    """The children of one worker. Every method is called on the worker's loop.

    `report` is called with each ending; what a dead child leaves unfinished is reported as crashed (its only job, or
    all of several: then each runs alone next time), as handed back (it was killed for a neighbour), or by the reason
    for which it was killed.
    """

    def __init__(self, nursery: Nursery, shape: QueueSettings, report: Report) -> None:
        self.nursery, self.shape, self.report = nursery, shape, report
        self.members: list[Child] = []
        self.unborn: deque[Child] = deque()
        self.gone = asyncio.Event()
        """Set when the nursery has died, without which no child can be born."""
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(nursery.control, self._hear_nursery)

    def free_slots(self) -> int:
        """How many more jobs may be taken now."""
        return max(0, self.shape.slots - self.running())

    def running(self) -> int:
        return sum(len(child.jobs) for child in self.members)

    def held(self) -> list[tuple[int, int]]:
        """(job id, claim number) of all that children hold."""
        return [(job_id, job.assignment.claim_number) for child in self.members for job_id, job in child.jobs.items()]

    def give(self, assignment: Assignment, *, timeout_s: float | None, alone: bool) -> None:
        """Hand a job to a child: one with room, or a new one; `alone` always gets a new one to itself."""
        child = self._bear(alone=True) if alone else self._with_room()
        limit = None if timeout_s is None else time.monotonic() + timeout_s + settings().soft_limit_grace_s
        child.jobs[assignment.job_id] = Job(assignment, limit)
        child.taken += 1
        self._send(child, {"run": [asdict(assignment)]})

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
            self._kill(child, job_id, Happened.HANDED_BACK)

    def kill_all(self, how: Happened = Happened.HANDED_BACK) -> None:
        """Kill every child; what they hold is reported as `how`."""
        for child in self.members:
            self._kill(child, None, how)

    def forget_all(self) -> None:
        """Kill every child and report nothing: the jobs are no longer ours."""
        for child in self.members:
            child.jobs.clear()
            self._kill(child, None, Happened.HANDED_BACK)

    def look_at_clocks(self) -> None:
        """Kill children whose jobs outstayed a hard limit or an abort; retire those that have grown too large or old."""
        now = time.monotonic()
        for child in list(self.members):
            for job_id, job in child.jobs.items():
                if job.abort_deadline is not None and now >= job.abort_deadline:
                    self._kill(child, job_id, Happened.ABORTED)
                elif job.hard_deadline is not None and now >= job.hard_deadline:
                    logger.warning("job killed at its hard limit id=%s task=%s", job_id, job.assignment.task_name)
                    self._kill(child, job_id, Happened.TIMED_OUT)

    def snapshot(self) -> list[dict[str, Any]]:
        """For the heartbeat: pid, resident bytes and number of jobs of each child; retires the ones grown too large."""
        shown = []
        for child in self.members:
            if child.pid is None:
                continue
            size = 0
            with contextlib.suppress(psutil.Error):
                size = psutil.Process(child.pid).memory_info().rss
            if size > settings().max_child_memory_mib * 1024 * 1024 and not child.retiring:
                logger.warning("child retires pid=%s memory_mib=%s", child.pid, size // 1024 // 1024)
                self._retire(child)
            shown.append({"pid": child.pid, "memory_bytes": size, "jobs": len(child.jobs)})
        return shown

    def close(self) -> None:
        """Kill the children that are left."""
        self._loop.remove_reader(self.nursery.control)
        for child in list(self.members):
            self._kill(child, None, Happened.HANDED_BACK)
            self._loop.remove_reader(child.sock)
            child.sock.close()
        self.nursery.control.close()

    def _holder(self, job_id: int) -> Child | None:
        return next((child for child in self.members if job_id in child.jobs), None)

    def _with_room(self) -> Child:
        shared = [c for c in self.members if not c.alone and not c.retiring and c.killed_for is None]
        open_ones = [child for child in shared if len(child.jobs) < self.shape.threads]
        idle = [child for child in open_ones if not child.jobs]
        if idle:
            return idle[0]
        if len(shared) < self.shape.processes or not open_ones:
            return self._bear(alone=False)
        return min(open_ones, key=lambda child: len(child.jobs))

    def _bear(self, *, alone: bool) -> Child:
        child = Child(self.nursery.ask(), alone)
        self.members.append(child)
        self.unborn.append(child)
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
            return
        for message in messages:
            self._ended(child, message["ended"])
        if child.retiring or child.alone or child.taken >= settings().max_jobs_per_child:
            self._retire(child)

    def _ended(self, child: Child, ending: dict[str, Any]) -> None:
        job = child.jobs.get(ending["id"])
        # A child can only speak for jobs that it was given, under the claim it was given.
        if job is not None and job.assignment.claim_number == ending["claim_number"]:
            del child.jobs[ending["id"]]
            self.report({**ending, "pid": child.pid})

    def _retire(self, child: Child) -> None:
        """Give it no more jobs, and let it go once it has none."""
        child.retiring = True
        if not child.jobs:
            self._send(child, {"stop": True})

    def _kill(self, child: Child, job_id: int | None, how: Happened) -> None:
        if child.killed_for is not None or child.killed_how is not Happened.CRASHED:
            return
        child.killed_for, child.killed_how = job_id if job_id is not None else -1, how
        if child.pid is not None:
            _kill_group(child.pid)

    def _hear_nursery(self) -> None:
        news = self.nursery.news()
        if news is None:
            self._loop.remove_reader(self.nursery.control)
            self.gone.set()
            return
        for item in news:
            if "born" in item:
                child = self.unborn.popleft()
                child.pid = item["born"]
                if child.killed_for is not None:
                    _kill_group(child.pid)
            else:
                self._bury(item["died"], item["status"])

    def _bury(self, pid: int, status: int) -> None:
        child = next((c for c in self.members if c.pid == pid), None)
        if child is None:
            return
        self._hear_last_words(child)
        self.members.remove(child)
        self._loop.remove_reader(child.sock)
        self._loop.remove_writer(child.sock)
        child.sock.close()
        if child.jobs:
            logger.warning(
                "child died pid=%s status=%s jobs=%s", pid, os.waitstatus_to_exitcode(status), sorted(child.jobs)
            )
        for job_id, job in list(child.jobs.items()):
            mine = child.killed_for in (None, -1, job_id)
            self._ended(child, _unfinished(job, child.killed_how if mine else Happened.HANDED_BACK, status))

    def _hear_last_words(self, child: Child) -> None:
        for message in wire.receive_rest(child.sock, child.inbox):
            self._ended(child, message["ended"])


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)  # it may not have its own group yet


def _unfinished(job: Job, how: Happened, status: int) -> dict[str, Any]:
    code = os.waitstatus_to_exitcode(status)
    died = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    said = {
        Happened.CRASHED: ("ChildDied", f"The process that ran it died ({died})."),
        Happened.TIMED_OUT: ("HardTimeLimit", "It went on past its time limit, and its process was killed."),
        Happened.ABORTED: ("AbortRequested", "It was asked to end, did not, and its process was killed."),
        Happened.HANDED_BACK: ("", ""),
    }[how]
    return {
        "id": job.assignment.job_id,
        "claim_number": job.assignment.claim_number,
        "happened": how,
        "error_class": f"youtility_tasks.errors.{said[0]}" if said[0] else "",
        "error_message": said[1],
    }
