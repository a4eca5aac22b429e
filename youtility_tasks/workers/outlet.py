"""stdout and stderr that hold up nobody: what a pipe or terminal has not taken in a second is dropped, and counted.

Supervisor, workers and children share them. One that waits for a reader who has gone (a pager, Ctrl-S, a log collector that
hangs) would start no worker again, or keep its jobs without end.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import select
import socket
import stat
import sys
from collections.abc import Callable, Iterator
from typing import Any, TextIO

_PATIENCE_MS = 1000


class _Outlet(io.RawIOBase):
    """A descriptor of our own to what `fd` leads to: to make that one itself non-blocking would do so for all who share it."""

    def __init__(self, fd: int) -> None:
        self.dropped_count = 0
        """Bytes since somebody read last; while there are any, nobody waits for the reader again."""
        self._send: Callable[[Any], int]
        self._close: Callable[[], None]
        if stat.S_ISSOCK(os.fstat(fd).st_mode):
            sock = socket.socket(fileno=os.dup(fd))
            self._fd = sock.fileno()
            self._send = lambda data: sock.send(data, socket.MSG_DONTWAIT)
            self._close = sock.close
        else:
            self._fd = os.open(f"/proc/self/fd/{fd}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
            self._send = lambda data: os.write(self._fd, data)
            self._close = lambda: os.close(self._fd)

    def close(self) -> None:
        if not self.closed:
            super().close()
            self._close()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        """All of it, as far as the caller is told. Raises OSError for anything but a reader who does not read."""
        size = len(data)
        if self.dropped_count and self._has_room(0):
            notice = f"\n[{self.dropped_count} bytes dropped here, nobody read them]\n".encode()
            if self._push(notice) == len(notice):
                self.dropped_count = 0
        self.dropped_count += size if self.dropped_count else size - self._push(data)
        return size

    def _push(self, data: Any) -> int:
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[self._send(rest) :]
            except BlockingIOError:
                if not self._has_room(0 if self.dropped_count else _PATIENCE_MS):
                    break
        return len(data) - len(rest)

    def _has_room(self, patience_ms: int) -> bool:
        ready = select.poll()
        ready.register(self._fd, select.POLLOUT)
        return bool(ready.poll(patience_ms))


class _Text(io.TextIOWrapper):
    def __init__(self, outlet: _Outlet, like: TextIO) -> None:
        super().__init__(io.BufferedWriter(outlet), encoding=like.encoding, errors=like.errors, line_buffering=True)
        self._fd = like.fileno()

    def fileno(self) -> int:
        """The shared one: programs that a task starts get it, and would not expect one that does not block."""
        return self._fd


@contextlib.contextmanager
def never_waiting() -> Iterator[None]:
    """Inside the block, what this process and those it forks print and log to a pipe, socket or terminal holds nobody up (Linux)."""
    before = {name: getattr(sys, name) for name in ("stdout", "stderr")}
    try:
        for name, stream in before.items():
            unblocked = _unblocked(stream)
            if unblocked is not None:
                _put(name, stream, unblocked)
        yield
    finally:
        for name, stream in before.items():
            present = getattr(sys, name)
            _put(name, present, stream)
            if isinstance(present, _Text):
                with contextlib.suppress(OSError):
                    present.close()


def _put(name: str, old: TextIO | None, new: TextIO | None) -> None:
    setattr(sys, name, new)
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler) and handler.stream is old is not None:
            handler.stream = new  # not setStream(), which fails if the old one cannot be flushed


def _unblocked(stream: TextIO | None) -> _Text | None:
    """The stream made so; None for files, which never wait for a reader, and for what cannot be made so."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        if stream is not None and not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            stream.flush()
            return _Text(_Outlet(stream.fileno()), stream)
    return None
