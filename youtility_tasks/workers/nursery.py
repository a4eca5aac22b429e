"""Small processes that fork a worker's children.

A worker holds a connection and an event loop, which must not be forked. So before it opens either it forks a matron,
which stays as it was born and forks nurseries; a nursery forks a child for every socket that the worker hands it, and
reports births and deaths. A task can kill the nursery, which is its parent: then the worker asks for another one.
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


class _Mother:
    """The worker's side of a process that forks. `control` is readable when births and deaths are to be read."""

    def __init__(self, control: socket.socket) -> None:
        self.control = control
        self.control.setblocking(False)
        self._inbox = wire.Inbox()

    def _ask(self, *fds: int) -> socket.socket:
        """Our end of the socket of the process that it forks; if it is gone, the other end is closed."""
        ours, theirs = socket.socketpair()
        with theirs, contextlib.suppress(ConnectionError):
            socket.send_fds(self.control, [b"+"], [theirs.fileno(), *fds])
        ours.setblocking(False)
        return ours

    def news(self) -> list[dict[str, int]] | None:
        """Births ({"born": pid}) and deaths ({"died": pid, "status": wait status}) since the last call; None if it is gone."""
        return wire.receive(self.control, self._inbox)

    def close(self) -> None:
        """Let it go, and with it what it has forked."""
        self.control.close()


class Nursery(_Mother):
    """Forks children."""

    pid: int | None = None
    given_up: bool = False
    """It did not say what it should have, and was killed."""

    def ask(self, board_fd: int) -> socket.socket:
        """Ask for one more child with this board; our end of its socket. Births are reported in the order of asking."""
        return self._ask(board_fd)


class Matron(_Mother):
    """Forks nurseries."""

    def __init__(self, raise_child: RaiseChild) -> None:
        """Fork the matron; `raise_child` is what each child of her nurseries will run."""
        control, other = socket.socketpair()
        family.fork(lambda: _keep(other, control, lambda sock: _keep(sock, None, raise_child)))
        other.close()
        super().__init__(control)

    def nursery(self) -> Nursery:
        """One more nursery."""
        return Nursery(self._ask())


def _keep(control: socket.socket, others_end: socket.socket | None, raise_one: Callable[..., None]) -> None:
    """Fork for each request a process that runs `raise_one` with the socket and the file descriptors that came with it."""
    if others_end is not None:
        others_end.close()
    woken, waker = socket.socketpair()
    waker.setblocking(False)
    woken.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(waker.fileno())
    family.leave_stopping_to_the_worker()
    try:
        _serve(control, woken, waker, raise_one)
    finally:
        signal.set_wakeup_fd(-1)  # children may still die, and the sockets are closed as we leave


def _serve(control: socket.socket, woken: socket.socket, waker: socket.socket, raise_one: Callable[..., None]) -> None:
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
            first, *rest = fds
            with socket.socket(fileno=first) as theirs:
                pid = family.fork(functools.partial(_raise, [control, woken, waker], raise_one, theirs, *rest))
            for fd in rest:
                os.close(fd)
            control.sendall(wire.pack({"born": pid}))


def _raise(not_ours: list[socket.socket], raise_one: Callable[..., None], sock: socket.socket, *fds: int) -> None:
    signal.set_wakeup_fd(-1)
    for other in not_ours:
        other.close()
    family.leave_stopping_to_the_worker()
    os.setpgid(0, 0)
    raise_one(sock, *fds)


def _report_deaths(control: socket.socket) -> None:
    for pid, status in family.reap():
        control.sendall(wire.pack({"died": pid, "status": status}))
