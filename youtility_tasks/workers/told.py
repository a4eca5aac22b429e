"""How far the jobs of a worker are, as they say: of each the latest, written now and then, and before its end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Callable, Iterable
from typing import Any

import psycopg

from youtility_tasks import notes
from youtility_tasks.finish import Verdict

from .children import Job
from .ended import Ended
from .holdings import Holdings
from .link import Link, LinkDown

logger = logging.getLogger(__name__)


class Told:
    """What a worker was told and has not written yet."""

    def __init__(self, link: Link, holdings: Holdings, worker_id: Callable[[], int | None]) -> None:
        self.latest: dict[int, notes.Row] = {}
        self._link, self._holdings, self._worker_id = link, holdings, worker_id
        self._wake = asyncio.Event()

    def hear(self, job: Job, said: Any) -> None:
        """Of a job that is held. What a child says is looked at once more: user code runs there."""
        found = notes.checked(tuple(said)) if isinstance(said, list | tuple) and len(said) == 3 else None
        if found is not None:
            self.latest[job.job_id] = (job.job_id, job.claim_number, *found)
            self._wake.set()

    async def keep(self) -> None:
        """Write what is heard, for ever; while nothing is, nothing is asked."""
        while True:
            await self._wake.wait()
            with contextlib.suppress(LinkDown):
                async with self._link.turn:
                    await self._write(self.take())
            await asyncio.sleep(notes.REST_S)

    async def write_of_ended(self) -> None:
        """Before their ends are sent: the statement that ends a job is the last that may write of it.

        Of jobs that succeed nothing is kept. It takes a turn of its own. Raises LinkDown.
        """
        if self.latest and self._holdings.ended:
            async with self._link.turn:
                await self._write(self.take_of_ended())

    def unwritten(self) -> set[int]:
        """Jobs that have ended since, and not well: their ends wait for the next round trip."""
        ended = self._holdings.ended
        return {each for each in self.latest if each in ended and _is_kept(ended[each])}

    def take(self) -> list[notes.Row]:
        """All of it, of jobs that are still held."""
        rows, self.latest = [row for row in self.latest.values() if row[0] in self._holdings.jobs], {}
        self._wake.clear()
        return rows

    def take_of_ended(self) -> list[notes.Row]:
        """Of jobs that have ended, and not well."""
        ended = self._holdings.ended
        rows = [self.latest.pop(job_id) for job_id in ended if job_id in self.latest]
        return [row for row in rows if _is_kept(ended[row[0]])]

    def put_back(self, rows: Iterable[notes.Row]) -> None:
        """They could not be written; what was said since is newer."""
        self.latest = {**{row[0]: row for row in rows}, **self.latest}
        self._wake.set()

    async def _write(self, rows: list[notes.Row]) -> None:
        if not rows:
            return
        try:
            await self._link.ask("note_progress", worker_id=self._worker_id(), told=json.dumps(rows))
        except LinkDown:
            self.put_back(rows)
            raise
        except psycopg.Error as error:  # no reason for a worker to end
            kind = type(error).__name__
            logger.warning("progress not written worker=%s jobs=%s error=%s", self._worker_id(), len(rows), kind)


def _is_kept(ended: Ended) -> bool:
    return ended.decision.verdict is not Verdict.SUCCEEDED
