"""Why a worker's children were replaced: how many for each reason, and the last of them."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from youtility_tasks.status import Replacement

LAST = 20
_MOST_JOBS = 5


@dataclass(frozen=True, slots=True)
class _One:
    at: float
    """Monotonic seconds."""
    pid: int
    why: Replacement
    how: str
    jobs: tuple[int, ...]


class Replaced:
    """Of one life of one worker process; nothing here asks anybody."""

    def __init__(self) -> None:
        self.counts: Counter[Replacement] = Counter()
        self._last: deque[_One] = deque(maxlen=LAST)

    @property
    def count(self) -> int:
        """For all reasons."""
        return self.counts.total()

    def note(self, pid: int, why: Replacement, how: str, jobs: Sequence[int] = ()) -> None:
        """A child is gone. `jobs`: those that it is blamed on, of which the first five are kept."""
        self.counts[why] += 1
        self._last.append(_One(time.monotonic(), pid, why, how[:200], tuple(jobs[:_MOST_JOBS])))

    def as_row(self) -> dict[str, Any]:
        """What `beat.sql` stores; how long ago rather than when, as the database's clock is the one that counts."""
        now = time.monotonic()
        last = [
            {"ago_s": round(now - each.at, 3), "pid": each.pid, "why": each.why, "how": each.how, "jobs": each.jobs}
            for each in reversed(self._last)
        ]
        return {"counts": dict(self.counts), "last": last}
