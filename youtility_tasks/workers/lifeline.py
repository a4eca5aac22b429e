"""How a supervisor knows that nothing of a dead worker runs any more.

A worker, its matron, nurseries and children inherit the one end of a pipe, and nobody else has it: programs that user code
starts close it (O_CLOEXEC). When the last of them is gone, the other end reads as ended. No pid is trusted, since
pids, and in containers host names too, come back.
"""

from __future__ import annotations

import os
import secrets
import select


class Lifeline:
    """One life of a worker: the random `token` that stands for it in the database, and the pipe that its processes hold."""

    def __init__(self) -> None:
        self.token = secrets.token_hex(16)
        self._ours, self._theirs = os.pipe()

    def hold(self) -> None:
        """In the worker, before it has children: it and they hold the line until they die."""
        os.close(self._ours)

    def let_go(self) -> None:
        """In the supervisor, once the worker is forked."""
        os.close(self._theirs)

    def is_cut(self) -> bool:
        """In the supervisor: whether all who held the line are dead."""
        readable, _, _ = select.select([self._ours], [], [], 0)
        return bool(readable)

    def close(self) -> None:
        """In the supervisor: look no more. Closing again does nothing."""
        if self._ours >= 0:
            os.close(self._ours)
            self._ours = -1
