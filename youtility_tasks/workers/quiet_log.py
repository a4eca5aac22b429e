"""A worker's own log never holds it up: lines wait in a bounded queue, and those that find it full are counted."""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
from collections.abc import Iterator

_LONGEST_QUEUE = 10_000
_LAST_WORDS_S = 1.0


class _Outbox(logging.Handler):
    """Hands records to a thread that may block for ever where a terminal or pipe has stopped reading."""

    def __init__(self, behind: list[logging.Handler]) -> None:
        super().__init__()
        self.behind = behind
        self.dropped = 0
        self.waiting: queue.Queue[logging.LogRecord | None] = queue.Queue(_LONGEST_QUEUE)
        self.writer = threading.Thread(target=self._write, name="log", daemon=True)
        self.writer.start()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self.waiting.put_nowait(record)
        except queue.Full:
            self.dropped += 1

    def finish(self) -> None:
        """Let what waits be written, for a moment."""
        with contextlib.suppress(queue.Full):
            self.waiting.put(None, timeout=_LAST_WORDS_S)
            self.writer.join(_LAST_WORDS_S)

    def _write(self) -> None:
        while (record := self.waiting.get()) is not None:
            for handler in self.behind:
                if record.levelno >= handler.level:
                    handler.handle(record)
            if self.dropped and self.waiting.empty():
                lost, self.dropped = self.dropped, 0
                logging.getLogger(__name__).warning("log lines dropped, nobody read them lines=%s", lost)


@contextlib.contextmanager
def never_blocking() -> Iterator[None]:
    """Inside the block, whatever the root logger's handlers do does not hold up this process."""
    root = logging.getLogger()
    before = root.handlers[:]
    outbox = _Outbox(before)
    root.handlers[:] = [outbox]
    try:
        yield
    finally:
        root.handlers[:] = before
        outbox.finish()
