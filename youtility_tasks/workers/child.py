"""The process that runs user code: takes assignments from its socket, reports each ending, dies with its worker."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import os
import queue
import select
import signal
import socket
import threading
import time
from collections import deque
from typing import Any, NoReturn

from asgiref.sync import sync_to_async
from django.db import connections

from youtility_tasks import tracing
from youtility_tasks.errors import AbortRequested
from youtility_tasks.finish import Happened

from . import family, output, run, session, strays, watched, wire
from .board import Board

UNREPORTED_COUNT = 32
"""Most endings that a child keeps before it reports them."""
UNREPORTED_S = 0.005
"""Longest time that an ending is kept while other jobs wait; nothing is kept while none does."""

_LOOK_AT_CLOCKS_S = 0.25
_CLOCKS_REST_S = 0.05
"""Messages may come by the hundred a second; what runs is not walked for each of them."""
_ABORT_PATIENCE_S = 1.0
_TOLD_AT_ONCE = 100
"""Jobs of whose progress one message tells: it must fit into a socket that takes anything at all."""
_TRUST_CONNECTIONS_S = 1.0
"""While async tasks run side by side, their connections are looked at no more often than this."""


logger = logging.getLogger(__name__)


def main(sock: socket.socket, board_fd: int, threads: int, queue_name: str) -> None:
    """Serve until the worker says stop or is gone."""
    family.stand_before(300)
    board = Board(board_fd)
    strays.mark(os.fstat(board_fd).st_ino)
    os.close(board_fd)
    _keep_connections()
    output.install()
    tracing.begin("task")
    child = _Child(sock, board, threads, queue_name)
    with tracing.flushing():
        is_told = child.serve()
    if not is_told:
        os.killpg(0, signal.SIGKILL)  # our nursery may be stopped, and what tasks have started would go on


def _keep_connections() -> None:
    # Django closes a connection after each request; for a child that would mean a new one for every job (9 ms of CPU
    # against 2.5). A broken one is found and dropped between jobs.
    session.watch()
    for alias in connections:
        connections.settings[alias]["CONN_MAX_AGE"] = None
        connections.settings[alias]["CONN_HEALTH_CHECKS"] = True


def _drop_broken_connections() -> None:
    """Of this thread: what a job left open or broken; one that looks whole is tried again when it is next used."""
    for connection in connections.all(initialized_only=True):
        if connection.in_atomic_block or connection.errors_occurred or session.is_changed(connection):
            connection.close()
        else:
            connection.close_if_unusable_or_obsolete()


def _give_up() -> NoReturn:
    """Around a job something of ours has failed (for want of memory?): who waited for its end would wait for ever.

    It stands on the board still, so it has crashed, and is a dead letter if that happens again and again.
    """
    with contextlib.suppress(BaseException):
        logger.exception("child ends, it cannot say what has become of a job")
    os._exit(1)


class _Child:
    def __init__(self, sock: socket.socket, board: Board, threads: int, queue_name: str) -> None:
        self.run_one_sync, self.run_one_async = watched.runners(queue_name)
        self.sock, self.board, self.threads, self.queue_name = sock, board, threads, queue_name
        self.sock_inode = os.fstat(sock.fileno()).st_ino
        self.pid = os.getpid()
        self.crew: list[threading.Thread] = []
        self.waiting: queue.SimpleQueue[run.Run | None] = queue.SimpleQueue()
        """For the crew; None has one of them rehearse, as a job is to come."""
        self.runs: dict[int, run.Run] = {}
        self.aborted_at: dict[int, float] = {}
        self.endings: deque[dict[str, Any]] = deque()
        self.flushed = 0.0
        self.sending = threading.Lock()
        self.loop: asyncio.AbstractEventLoop | None = None
        self.tasks: set[asyncio.Task[None]] = set()
        self.trusted_until = 0.0
        self.clocks_at = 0.0
        """Monotonic seconds before which the clocks of what runs are not looked at again."""

    def serve(self) -> bool:
        """Until the worker says stop, or (False) is gone."""
        inbox = wire.Inbox()
        while True:
            ready, _, _ = select.select([self.sock], [], [], self.patience_s())
            if ready:
                messages = wire.receive(self.sock, inbox)
                if messages is None:
                    return False
                if inbox.is_garbled:
                    raise ConnectionError("a task has read what was meant for its child")
                for message in messages:
                    if "stop" in message:
                        return True
                    self.take(message)
            self.look_at_clocks()

    def patience_s(self) -> float | None:
        """How long the main thread may sleep: briefly while endings may wait to be reported."""
        if not self.runs and not self.endings:
            return None
        if self.endings or not self.waiting.empty():
            return 2 * UNREPORTED_S
        return min(_LOOK_AT_CLOCKS_S, max(_CLOCKS_REST_S, self.board.lease_left_s()))

    def take(self, message: dict[str, Any]) -> None:
        later = []
        traces = {job_id: told for job_id, *told in message.get("traces", ())}
        for job_id, claim_number, task_name, args, attempt, tenant_id, worker_id, begin_by in message.get("run", ()):
            new = run.begin(
                run.Assignment(job_id, claim_number, task_name, run.read(args), attempt, tenant_id, worker_id, begin_by)
            )
            if traces:
                new.trace = traces.get(job_id)
            self.runs[job_id] = new
            if run.is_async(new):
                later.append(new)
            else:
                self.waiting.put(new)
        if later:
            self.event_loop().call_soon_threadsafe(self.start_async, later)
        while len(self.crew) < min(self.threads, len(self.runs) - len(later)):
            self.crew.append(threading.Thread(target=self.work, name="task", daemon=True))
            self.crew[-1].start()
        for job_id in message.get("abort", ()):
            self.abort(job_id)
        if "rouse" in message and self.crew and not self.runs:
            self.waiting.put(None)
        if "recall" in message:
            self.return_waiting()

    def abort(self, job_id: int) -> None:
        found = self.runs.get(job_id)
        if found is None or job_id in self.aborted_at:
            return
        self.aborted_at[job_id] = time.monotonic()
        found.ask_to_abort()
        if run.is_async(found) or found.started is None:
            found.interrupt(AbortRequested)

    def return_waiting(self) -> None:
        """Give back what no thread has begun: the job before it takes longer than was thought."""
        with contextlib.suppress(queue.Empty):
            while True:
                told = self.waiting.get_nowait()
                if told is None:
                    continue
                job = told.assignment
                ending = {"id": job.job_id, "claim_number": job.claim_number, "happened": Happened.HANDED_BACK}
                self.note(told, ending)
        self.flush()

    def look_at_clocks(self) -> None:
        now = time.monotonic()
        if self.endings and now - self.flushed > UNREPORTED_S:
            self.flush()
        if now < self.clocks_at:
            return
        self.clocks_at = now + _CLOCKS_REST_S
        self.stop_with_lease()
        for job_id, current in list(self.runs.items()):
            deadline = current.soft_deadline
            if deadline is not None and now >= deadline:
                current.interrupt(run.time_is_up[0])
            # A sync task may ask `context.should_abort()` and end well; if it does not, it is interrupted.
            if now >= self.aborted_at.get(job_id, now) + _ABORT_PATIENCE_S:
                current.interrupt(AbortRequested)
        self.tell_progress()

    def stop_with_lease(self) -> None:
        """End here, and all that was started here, if our worker cannot renew: what runs may be running elsewhere by now."""
        if self.board.lease_is_over() and self.runs:
            self.board.give_up()
            os.killpg(0, signal.SIGKILL)

    def tell_progress(self) -> None:
        """Say how far jobs are, if that holds up nobody: a worker that does not read is told later."""
        noted = [current.notes for current in list(self.runs.values()) if current.notes is not None]
        if not any(notes.has_news() for notes in noted) or not self.sending.acquire(blocking=False):
            return
        try:
            if select.select([], [self.sock], [], 0)[1]:
                news = (row for notes in noted if (row := notes.take()) is not None)
                told = list(itertools.islice(news, _TOLD_AT_ONCE))
                with contextlib.suppress(ConnectionError):
                    self.sock.sendall(wire.pack({"progress": told, "ended": []}))
        finally:
            self.sending.release()

    def work(self) -> None:
        """A thread of the crew: one sync job after the other."""
        while True:
            current = self.waiting.get()
            if current is None:
                with contextlib.suppress(Exception):  # a job will say what is wrong
                    run.rehearse(self.queue_name)
                continue
            self.stop_with_lease()
            place = self.board.start(current.assignment.job_id)
            try:
                ending = self.run_one_sync(current)
                self.end_if_spoiled()
                _drop_broken_connections()
            except BaseException:
                _give_up()
            self.board.end(place)
            self.note(current, ending)
            at_once = current.task is not None and current.task.record_at_once
            late = time.monotonic() - self.flushed > UNREPORTED_S
            if at_once or late or len(self.endings) >= UNREPORTED_COUNT or self.waiting.empty():
                self.flush()

    def end_if_spoiled(self) -> None:
        """End here if a task has forked and come back twice (the copy holds copies of the jobs that wait, and our socket), or has
        closed the socket as one of all descriptors: another file may have its number by now, and would get what we report."""
        if os.getpid() != self.pid:
            os._exit(1)
        if os.fstat(self.sock.fileno()).st_ino != self.sock_inode:
            raise OSError("the task has closed descriptors that are not its own")

    def start_async(self, runs: list[run.Run]) -> None:
        """On the loop: start tasks side by side."""
        for current in runs:
            task = asyncio.ensure_future(self.run_async(current))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    async def run_async(self, current: run.Run) -> None:
        self.stop_with_lease()
        place = self.board.start(current.assignment.job_id)
        try:
            # The async ORM works in a thread of asgiref's, where all async tasks share the connections.
            if len(self.tasks) == 1 or time.monotonic() > self.trusted_until:
                self.trusted_until = time.monotonic() + _TRUST_CONNECTIONS_S
                await sync_to_async(_drop_broken_connections)()
            ending = await self.run_one_async(current)
            self.end_if_spoiled()
        except BaseException:
            _give_up()
        self.board.end(place)
        self.note(current, ending)
        if len(self.endings) == 1:  # the others that end in this turn of the loop go with it
            asyncio.get_running_loop().call_soon(self.flush)

    def note(self, current: run.Run, ending: dict[str, Any]) -> None:
        self.endings.append(ending)
        self.aborted_at.pop(current.assignment.job_id, None)
        del self.runs[current.assignment.job_id]

    def flush(self) -> None:
        """Report what has ended. A worker that does not read holds up this thread, and never the one that looks at clocks."""
        if not self.sending.acquire(blocking=threading.current_thread() is not threading.main_thread()):
            return
        try:
            said = [self.endings.popleft() for _ in range(len(self.endings))]
            self.flushed = time.monotonic()
            if said:
                with contextlib.suppress(ConnectionError):  # the worker is gone, and this process about to follow
                    self.sock.sendall(wire.pack({"ended": said}))
        finally:
            self.sending.release()

    def event_loop(self) -> asyncio.AbstractEventLoop:
        """The loop of the async tasks, in a thread of its own from the first of them on."""
        if self.loop is None:
            self.loop = asyncio.new_event_loop()
            threading.Thread(target=self.loop.run_forever, name="loop", daemon=True).start()
        return self.loop
