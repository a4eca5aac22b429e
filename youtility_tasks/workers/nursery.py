"""Small processes that fork a worker's children.

A worker holds a connection and an event loop, which must not be forked. So before it opens either it forks a matron,
which stays as it was born and forks nurseries; a nursery forks a child for every socket that the worker hands it, and
reports births and deaths. A task can kill the nursery, which is its parent: then the worker asks for another one.

When the worker dies, by itself or with its supervisor, the matron is killed (Linux) and the nursery is told: it is the one that
ends what the children had started, as nobody else may be left to do it.
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
from .strays import Strays

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
        self.pid = family.fork(
            lambda: _keep(other, control, lambda sock: _keep(sock, None, raise_child, last=True), last=False)
        )
        other.close()
        super().__init__(control)

    def nursery(self) -> Nursery:
        """One more nursery."""
        return Nursery(self._ask())


def _keep(
    control: socket.socket, others_end: socket.socket | None, raise_one: Callable[..., None], *, last: bool
) -> None:
    """Fork for each request a process that runs `raise_one` with the socket and the file descriptors that came with it.

    `last`: what it forks is killed when it leaves, and what that has started; if not, it is told that its mother has left.
    """
    if others_end is not None:
        others_end.close()
    woken, waker = socket.socketpair()
    waker.setblocking(False)
    woken.setblocking(False)
    for number in (signal.SIGCHLD, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    signal.set_wakeup_fd(waker.fileno())
    family.leave_stopping_to_the_worker()
    family.stand_before(100)
    below = Strays()
    if last:
        family.adopt_orphans()
    told_by = signal.SIGKILL if last else signal.SIGHUP
    try:
        with contextlib.suppress(ConnectionError):  # the worker left with news of ours unread
            _serve(control, woken, waker, raise_one, below, told_by)
    finally:
        signal.set_wakeup_fd(-1)  # children may still die, and the sockets are closed as we leave
        if last:
            below.kill_all()


def _serve(
    control: socket.socket,
    woken: socket.socket,
    waker: socket.socket,
    raise_one: Callable[..., None],
    below: Strays,
    told_by: signal.Signals,
) -> None:
    mother = os.getppid()
    while True:
        ready, _, _ = select.select([control, woken], [], [], below.patience_s())
        below.kill_left()
        if woken in ready:
            with contextlib.suppress(BlockingIOError):
                woken.recv(4096)
            if os.getppid() != mother:
                return
            for pid, status in family.reap():
                if below.died(pid):
                    control.sendall(wire.pack({"died": pid, "status": status}))
        if control in ready:
            asked, fds, _, _ = socket.recv_fds(control, 1, 2)
            if not asked:
                return  # the worker is gone, and with us go the children
            first, *rest = fds
            with socket.socket(fileno=first) as theirs:
                body = functools.partial(_raise, [control, woken, waker], raise_one, theirs, *rest)
                pid = family.fork(body, told_by=told_by)
            below.born(pid, os.fstat(rest[0]).st_ino if rest else 0)
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
