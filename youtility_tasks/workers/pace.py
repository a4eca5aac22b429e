"""How many threads of a child take sync jobs: all of them, or one while jobs are so short that a second only costs.

Threads of one process take turns at the interpreter. Where a job takes less than a turn is worth, two threads ran no-ops
at half the speed of one (66 us of CPU a job against 30).
"""

from __future__ import annotations

import threading

SHORT_MS = 0.3
"""Jobs that take less on average run one after the other."""
_MEMORY = 20
"""Jobs over which the average forgets."""


class Pace:
    """What the jobs of this child have been like lately, and the gate for all threads but the first."""

    def __init__(self) -> None:
        self._typical_ms = SHORT_MS
        self._open = threading.Event()
        self._open.set()

    @property
    def is_alone(self) -> bool:
        """Whether only the first thread takes jobs."""
        return not self._open.is_set()

    def wait_for_turn(self, place: int) -> None:
        """Return when the thread at this place (from 0) may take a job."""
        if place:
            self._open.wait()

    def ended(self, run_ms: float) -> None:
        """A sync job has run so long."""
        self._typical_ms += (run_ms - self._typical_ms) / _MEMORY
        if self._typical_ms < SHORT_MS:
            if self._open.is_set():
                self._open.clear()
        elif not self._open.is_set():
            self._open.set()

    def held_up(self) -> None:
        """Others wait behind a job that is not short: let every thread take one, until jobs are short again."""
        self._typical_ms = max(self._typical_ms, 2 * SHORT_MS)
        self._open.set()
