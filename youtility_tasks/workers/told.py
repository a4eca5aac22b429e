"""How far the jobs of a worker are, as they say, until it is written: of each the latest only."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from youtility_tasks import notes
from youtility_tasks.finish import Verdict

from .children import Job
from .ended import Ended


class Told:
    """The bookkeeping alone; it asks nothing."""

    def __init__(self) -> None:
        self.latest: dict[int, notes.Row] = {}
        self.wake = asyncio.Event()
        """Set while something is to be written."""

    def hear(self, job: Job, said: Any) -> None:
        """Of a job that is held. What a child says is looked at once more: user code runs there."""
        found = notes.checked(tuple(said)) if isinstance(said, list | tuple) and len(said) == 3 else None
        if found is not None:
            self.latest[job.job_id] = (job.job_id, job.claim_number, *found)
            self.wake.set()

    def take(self, held: Collection[int]) -> list[notes.Row]:
        """All of it, of jobs that are still held, to be written now."""
        rows, self.latest = [row for row in self.latest.values() if row[0] in held], {}
        self.wake.clear()
        return rows

    def put_back(self, rows: Iterable[notes.Row]) -> None:
        """They could not be written: what was said since is newer."""
        self.latest = {**{row[0]: row for row in rows}, **self.latest}
        self.wake.set()

    def take_of(self, ended: Mapping[int, Ended]) -> list[notes.Row]:
        """Of jobs whose end is sent next, to be written before it; of those that succeed nothing is kept."""
        rows = [self.latest.pop(job_id) for job_id in ended if job_id in self.latest]
        return [row for row in rows if ended[row[0]].decision.verdict is not Verdict.SUCCEEDED]
