"""What an attempt prints and logs, kept with its history: the end of it, and never at the cost of the worker."""

from __future__ import annotations

import contextlib
import contextvars
import logging
import sys
import threading
from collections import deque
from collections.abc import Iterator
from typing import Any, TextIO

from youtility_tasks.secrets import scrubbing

KEPT_CHARACTERS = 64 * 1024

_current: contextvars.ContextVar[Tail | None] = contextvars.ContextVar("youtility_tasks_output", default=None)


class Tail:
    """The last characters of a text that is written bit by bit."""

    def __init__(self, limit: int = KEPT_CHARACTERS) -> None:
        self.limit = limit
        self._pieces: deque[str] = deque()
        self._length = 0
        self._is_cut = False

    def add(self, text: str) -> None:
        """Write a bit more; memory stays below twice `limit` characters."""
        self._is_cut = self._is_cut or len(text) > self.limit
        self._pieces.append(text[-self.limit :])
        self._length += len(self._pieces[-1])
        while self._length - len(self._pieces[0]) >= self.limit:
            self._length -= len(self._pieces.popleft())
            self._is_cut = True

    def text(self, hidden: scrubbing.Scrubber | None = None) -> str:
        """The last `limit` characters of all that was added, without what is hidden."""
        text = "".join(self._pieces)
        if text and hidden is not None:
            text = hidden.text(text)
            if self._is_cut:
                text = hidden.without_remnant(text)
        return text[-self.limit :]


class _Tee:
    """A text stream that lets the present attempt keep what goes through it. Whatever becomes of the stream itself: a job
    does not fail because nobody takes what it prints."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        tail = _current.get()
        if tail is not None:
            tail.add(text)
        with contextlib.suppress(OSError, ValueError, AttributeError):
            self._stream.write(scrubbing.scrub(text))  # type: ignore[union-attr]
        return len(text)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError, AttributeError):
            self._stream.flush()  # type: ignore[union-attr]

    def close(self) -> None:
        """Nothing: the stream is the process's, and the next task prints on it too."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _LogKeeper(logging.Handler):
    """Keeps the log lines of the present attempt."""

    def emit(self, record: logging.LogRecord) -> None:
        tail = _current.get()
        if tail is not None:
            with contextlib.suppress(Exception):  # a line that cannot be formatted is its author's mistake
                tail.add(f"{record.levelname} {record.name} {self.format(record)}\n")


_tees: dict[str, _Tee] = {}
_log_keeper = _LogKeeper()
_running = 0
_counting = threading.Lock()


def install() -> None:
    """Let `sys.stdout`, `sys.stderr` and the log of this process be kept per attempt. Programs it starts are not heard."""
    _tees.update(stdout=_Tee(sys.stdout), stderr=_Tee(sys.stderr))
    _listen(alone=True)
    scrubbing.watch_log()


def _listen(*, alone: bool) -> None:
    """A task may have left another stream, or none, in the place of ours; what one that still runs has put there stays."""
    if not _tees:
        return
    for name, tee in _tees.items():
        present = getattr(sys, name)
        if present is not tee and (alone or present is None or getattr(present, "closed", False)):
            setattr(sys, name, tee)
    root = logging.getLogger()
    if _log_keeper not in root.handlers:
        root.addHandler(_log_keeper)


@contextlib.contextmanager
def kept() -> Iterator[Tail]:
    """Keep what is printed and logged inside the block, in this thread or asyncio task and in what they start."""
    global _running
    with _counting:
        _listen(alone=not _running)
        _running += 1
    tail = Tail()
    token = _current.set(tail)
    try:
        yield tail
    finally:
        _current.reset(token)
        with _counting:
            _running -= 1
