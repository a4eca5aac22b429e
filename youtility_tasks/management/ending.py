"""How a command that has started processes and servers ends."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Iterator

TERMINATED = 128 + signal.SIGTERM
"""The exit status of a process that SIGTERM ended."""


@contextlib.contextmanager
def terminable() -> Iterator[None]:
    """Let SIGTERM end the block as Ctrl-C does, so that nothing which the command has started is left behind."""
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
