"""How many jobs a worker asks for: what can start now and, while jobs are short, as much ahead as keeps its children busy.

A job claimed ahead costs no round trip of its own, which is most of what a short job costs; a long one claimed ahead
would wait here while another worker is idle. So the reach is measured: so much work as `claim_ahead_ms`, at most
`claim_ahead` jobs a child.
"""

from __future__ import annotations

from dataclasses import dataclass

from youtility_tasks.conf import QueueSettings, settings

_MEMORY = 20
"""Jobs over which an average forgets: one long job stops the reaching ahead for about so many."""


@dataclass(slots=True)
class Appetite:
    """What the jobs of one queue have been like lately."""

    shape: QueueSettings
    typical_ms: float | None = None
    """Average run time of sync jobs; None until one has ended."""
    async_share: float = 0.0
    """How many of the claimed jobs are async, 0 to 1."""

    def claimed(self, is_async: bool) -> None:
        """One more job was claimed; async ones take no thread, so their share says how much room they need."""
        self.async_share += (is_async - self.async_share) / _MEMORY

    def ended(self, run_ms: float) -> None:
        """A sync job has run so long."""
        if self.typical_ms is None:
            self.typical_ms = run_ms
        else:
            self.typical_ms += (run_ms - self.typical_ms) / _MEMORY

    def ahead(self) -> int:
        """How many sync jobs may wait in each child behind those that run."""
        if self.typical_ms is None:
            return 0
        of_work = self.shape.threads * settings().claim_ahead_ms / max(self.typical_ms, 0.001)
        # A child that is soon to be replaced must not be given most of its share at once.
        return min(settings().claim_ahead, settings().max_jobs_per_child // 10, int(of_work))

    def wanted(self, *, sync_held: int, async_held: int, stuck_children: int) -> int:
        """How many more jobs to claim. A stuck child has given back what it had ahead, and gets no more of it for now.

        A claim cannot choose kinds, so while async tasks run it never asks for more than could run if all were async.
        """
        shape = self.shape
        coroutines = shape.processes * shape.coroutines - async_held
        ahead = self.ahead() * max(0, shape.processes - stuck_children)
        sync_room = shape.slots + ahead - sync_held
        room = max(sync_room, int(coroutines * self.async_share))
        if async_held:
            room = min(room, coroutines)
        return min(max(room, 0), settings().claim_batch)
