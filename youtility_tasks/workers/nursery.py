"""A small process that forks a worker's children.

A worker holds a connection and an event loop, which must not be forked. So before it opens either it forks a nursery,
which stays as it was born, forks a child for every socket that the worker hands it, and reports births and deaths.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
from collections.abc import Callable

from . import family, wire


class Nursery:
    """The worker's side. `control` is readable when births and deaths are to be read."""

    def __init__(self, raise_child: Callable[[socket.socket], None]) -> None:
        """Fork the nursery; `raise_child(sock)` is what each child will run."""
        self.control, other = socket.socketpair()
        self.pid = family.fork(lambda: _keep(other, self.control, raise_child))
        other.close()
        self.control.setblocking(False)
        self._inbox = wire.Inbox()

    def ask(self) -> socket.socket:
        """Ask for one more child; our end of its socket. Its birth is reported in the order of asking."""
        ours, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(self.control, [b"+"], [theirs.fileno()])
        ours.setblocking(False)
        return ours

    def news(self) -> list[dict[str, int]] | None:
        """Births ({"born": pid}) and deaths ({"died": pid, "status": wait status}) since the last call; None if the nursery is gone."""
        return wire.receive(self.control, self._inbox)


def _keep(control: socket.socket, others_end: socket.socket, raise_child: Callable[[socket.socket], None]) -> None:
    others_end.close()
    woken, waker = socket.socketpair()
    waker.setblocking(False)
    woken.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(waker.fileno())
    family.leave_stopping_to_the_worker()
    while True:
        ready, _, _ = select.select([control, woken], [], [])
        if woken in ready:
            with contextlib.suppress(BlockingIOError):
                woken.recv(4096)
            _report_deaths(control)
        if control in ready:
            asked, fds, _, _ = socket.recv_fds(control, 1, 1)
            if not asked:
                return  # the worker is gone, and with us go the children
            for fd in fds:
                with socket.socket(fileno=fd) as theirs:
                    pid = family.fork(lambda sock=theirs: _raise(sock, [control, woken, waker], raise_child))  # type: ignore[misc]
                control.sendall(wire.pack({"born": pid}))


def _raise(sock: socket.socket, not_ours: list[socket.socket], raise_child: Callable[[socket.socket], None]) -> None:
    signal.set_wakeup_fd(-1)
    for other in not_ours:
        other.close()
    family.leave_stopping_to_the_worker()
    os.setpgid(0, 0)
    raise_child(sock)


def _report_deaths(control: socket.socket) -> None:
    while True:
        try:
            dead = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        if dead is None:
            return
        # What the child started must not go on without it. Its group's number is safe to use until it is reaped.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(dead.si_pid, signal.SIGKILL)
        pid, status = os.waitpid(dead.si_pid, 0)
        control.sendall(wire.pack({"died": pid, "status": status}))
