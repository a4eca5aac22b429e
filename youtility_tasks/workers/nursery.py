"""A small process that forks a worker's children.

A worker holds a connection and an event loop, which must not be forked. So before it opens either it forks a nursery,
which stays as it was born, forks a child for every socket that the worker hands it, and reports births and deaths.
"""

from __future__ import annotations

import contextlib
import functools
import os
import select
import signal
import socket
from collections.abc import Callable

from . import family, wire

RaiseChild = Callable[[socket.socket, int], None]
"""What each child runs: its socket, and the file descriptor of its board."""


class Nursery:
    """The worker's side. `control` is readable when births and deaths are to be read."""

    def __init__(self, raise_child: RaiseChild) -> None:
        """Fork the nursery; `raise_child` is what each child will run."""
        self.control, other = socket.socketpair()
        self.pid = family.fork(lambda: _keep(other, self.control, raise_child))
        other.close()
        self.control.setblocking(False)
        self._inbox = wire.Inbox()

    def ask(self, board_fd: int) -> socket.socket:
        """Ask for one more child with this board; our end of its socket. Births are reported in the order of asking."""
        ours, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(self.control, [b"+"], [theirs.fileno(), board_fd])
        ours.setblocking(False)
        return ours

    def news(self) -> list[dict[str, int]] | None:
        """Births ({"born": pid}) and deaths ({"died": pid, "status": wait status}) since the last call; None if the nursery is gone."""
        return wire.receive(self.control, self._inbox)


def _keep(control: socket.socket, others_end: socket.socket, raise_child: RaiseChild) -> None:
    others_end.close()
    woken, waker = socket.socketpair()
    waker.setblocking(False)
    woken.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(waker.fileno())
    family.leave_stopping_to_the_worker()
    try:
        _serve(control, woken, waker, raise_child)
    finally:
        signal.set_wakeup_fd(-1)  # children may still die, and the sockets are closed as we leave


def _serve(control: socket.socket, woken: socket.socket, waker: socket.socket, raise_child: RaiseChild) -> None:
    while True:
        ready, _, _ = select.select([control, woken], [], [])
        if woken in ready:
            with contextlib.suppress(BlockingIOError):
                woken.recv(4096)
            _report_deaths(control)
        if control in ready:
            try:
                asked, fds, _, _ = socket.recv_fds(control, 1, 2)
            except ConnectionError:  # it left with news of ours unread
                return
            if not asked:
                return  # the worker is gone, and with us go the children
            with socket.socket(fileno=fds[0]) as theirs:
                raised = functools.partial(_raise, theirs, fds[1], [control, woken, waker], raise_child)
                pid = family.fork(raised)
            os.close(fds[1])
            control.sendall(wire.pack({"born": pid}))


def _raise(sock: socket.socket, board_fd: int, not_ours: list[socket.socket], raise_child: RaiseChild) -> None:
    signal.set_wakeup_fd(-1)
    for other in not_ours:
        other.close()
    family.leave_stopping_to_the_worker()
    os.setpgid(0, 0)
    raise_child(sock, board_fd)


def _report_deaths(control: socket.socket) -> None:
    for pid, status in family.reap():
        control.sendall(wire.pack({"died": pid, "status": status}))
