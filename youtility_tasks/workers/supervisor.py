"""One worker a queue: start, watch, restart, pass signals on, drain."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from django.db import connections

from youtility_tasks import queues, tracing
from youtility_tasks.conf import QueueSettings, settings
from youtility_tasks.errors import ConfigurationError, did_you_mean

from . import child, family, quiet_log
from .lifeline import Lifeline
from .nursery import Matron
from .pulse import Pulse
from .vitals import Vitals
from .worker import STOP_NOW, Worker

_LONGEST_WAIT_S = 5.0
_LIVED_LONG_S = 30.0
_FAREWELL_S = 1.0
"""Longest wait for a dead worker's children to be gone; after it their jobs are left to the lease."""
_GLANCE_S = 0.005
RETIRED = 3
"""The exit status of a worker that somebody told to leave: nobody takes its post."""
_LEAVING_S = 5.0
"""After the grace period, beside one statement's deadline: a worker waits 3 s for children that the kernel does not let go of."""

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Post:
    """A queue and the process that serves it now."""

    queue_name: str
    shape: QueueSettings
    pid: int | None = None
    started: float = 0.0
    failures: int = 0
    start_at: float = 0.0
    finished: bool = False
    line: Lifeline | None = None
    """Of the worker that serves now, or of the one that died until its children are gone too."""
    died_at: float = 0.0
    killed: bool = False
    pulse: Pulse = field(default_factory=Pulse)
    """Of whichever process serves: one that dies before its heartbeat goes round leaves it silent."""
    dead: deque[str] = field(default_factory=lambda: deque(maxlen=8))
    """Tokens of workers that died with all their children; the next worker rescues their jobs when it registers."""

    def see_off(self) -> bool:
        """Whether the worker before has left no process behind, or too stubborn a one to wait for; then its line is dropped."""
        if self.line is None:
            return True
        is_cut = self.line.is_cut()
        if not is_cut and time.monotonic() < self.died_at + _FAREWELL_S:
            return False
        if is_cut:
            self.dead.append(self.line.token)
        self.line.close()
        self.line = None
        return True


class Supervisor:
    """Keeps one worker process a queue alive. It has no threads, no connections and runs no user code.

    SIGTERM or SIGINT: workers finish what runs and leave; the second one: at once. One that is still there some seconds
    after its grace period is killed. `drain`: ends when every worker has found nothing left to do.
    """

    def __init__(self, shapes: dict[str, QueueSettings], *, drain: bool = False, vitals: Vitals | None = None) -> None:
        self.posts = [_Post(name, shape) for name, shape in shapes.items()]
        self.drain = drain
        self.vitals = vitals or Vitals()
        self.stops = 0
        self.kill_at = float("inf")
        """Monotonic seconds at which workers that were told to stop are killed."""

    def run(self) -> int:
        """Serve until stopped; the exit status: 0, or 1 if a draining worker failed."""
        watched = {signal.SIGTERM, signal.SIGINT, signal.SIGCHLD}
        before = signal.pthread_sigmask(signal.SIG_BLOCK, watched)
        connections.close_all()
        family.freeze()
        family.adopt_orphans()
        try:
            while True:
                for post in self.posts:
                    is_free = post.pid is None and post.see_off()
                    if is_free and self._is_wanted(post) and time.monotonic() >= post.start_at:
                        self._start(post)
                if not any(post.pid or post.line or self._is_wanted(post) for post in self.posts):
                    return 0
                is_waiting = any(post.pid is None and post.line is not None for post in self.posts)
                heard = signal.sigtimedwait(watched, _GLANCE_S if is_waiting else 0.5)
                # Python fills in nothing when it was stopped (Ctrl-Z, a debugger, a suspended host) beyond the time that it waits.
                if heard is not None and heard.si_signo in (signal.SIGTERM, signal.SIGINT):
                    self._stop()
                self._reap()
                self._kill_the_late()
                self.vitals.look({post.queue_name: post.pulse for post in self.posts if not post.finished})
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _is_wanted(self, post: _Post) -> bool:
        return not post.finished and not self.stops

    def _start(self, post: _Post) -> None:
        post.started = time.monotonic()
        line, dead = Lifeline(), list(post.dead)
        post.pid = family.fork(lambda: _work(post.queue_name, post.shape, line, dead, post.pulse, drain=self.drain))
        line.let_go()
        post.line = line

    def _stop(self) -> None:
        self.stops += 1
        self.vitals.stopping()
        patience_s = longest_stop_s() if self.stops == 1 else longest_stop_s() - settings().shutdown_grace_s
        self.kill_at = min(self.kill_at, time.monotonic() + patience_s)
        for post in self.posts:
            if post.pid is not None:
                os.kill(post.pid, signal.SIGTERM if self.stops == 1 else STOP_NOW)

    def _kill_the_late(self) -> None:
        if time.monotonic() < self.kill_at:
            return
        for post in self.posts:
            if post.pid is not None and not post.killed:
                logger.error(
                    "worker killed, it was told to stop and did not queue=%s pid=%s", post.queue_name, post.pid
                )
                post.killed = True
                os.kill(post.pid, signal.SIGKILL)  # and with it go its children

    def _reap(self) -> None:
        for pid, status in family.reap():
            for post in self.posts:
                if post.pid == pid:
                    self._ended(post, os.waitstatus_to_exitcode(status))

    def _ended(self, post: _Post, code: int) -> None:
        post.pid, post.died_at = None, time.monotonic()
        if code == RETIRED or (code == 0 and self.drain):
            post.finished = True
            return
        if self.stops:
            return
        # Whatever the exit code: a worker that was not told to stop is started again, at once the first time.
        if time.monotonic() - post.started > _LIVED_LONG_S:
            post.failures = 0
            post.dead.clear()  # it has registered and rescued them
        else:
            post.failures += 1
        wait_s = min(_LONGEST_WAIT_S, 0.25 * 2 ** (post.failures - 1)) if post.failures > 1 else 0
        post.start_at = time.monotonic() + wait_s
        logger.warning("worker died queue=%s code=%s restart_in_s=%.1f", post.queue_name, code, wait_s)


def longest_stop_s() -> float:
    """Seconds after SIGTERM by which the last worker has left or been killed; a service manager should wait a little longer."""
    return settings().shutdown_grace_s + settings().statement_deadline_s + _LEAVING_S


def shapes_of(names: Sequence[str] | None, *, processes: int | None, threads: int | None) -> dict[str, QueueSettings]:
    """The queues to serve: all that are configured, or those named, with other numbers if given.

    Raises ConfigurationError for an unknown queue.
    """
    known = queues.configured()
    for name in names or ():
        if name not in known:
            raise ConfigurationError(
                f"No queue is called {name!r}; known: {', '.join(sorted(known))}.{did_you_mean(name, known)}"
            )
    return {
        name: replace(shape, processes=processes or shape.processes, threads=threads or shape.threads)
        for name, shape in known.items()
        if not names or name in names
    }


def _work(queue_name: str, shape: QueueSettings, line: Lifeline, dead: list[str], pulse: Pulse, *, drain: bool) -> None:
    _title(f"youtility worker {queue_name}")
    line.hold()
    family.stand_before(100)

    def raise_child(sock: socket.socket, board_fd: int) -> None:
        _title(f"youtility child {queue_name}")
        child.main(sock, board_fd, shape.threads, queue_name)

    matron = Matron(raise_child)

    async def serve() -> bool:
        worker = Worker(queue_name, shape, matron, drain=drain, token=line.token, dead=dead, pulse=pulse)
        await worker.run()
        return worker.is_retired

    tracing.begin("worker")
    with quiet_log.never_blocking(), tracing.flushing():
        is_retired = asyncio.run(serve())
    if is_retired:
        sys.exit(RETIRED)


def _title(text: str) -> None:
    """What `ps` and `top` show of this process (Linux: the first 15 characters)."""
    try:
        with open("/proc/self/comm", "w", encoding="ascii") as comm:
            comm.write(text[-15:])
    except OSError:
        return
