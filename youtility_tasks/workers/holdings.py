"""What a worker holds: jobs that it has claimed, and endings of theirs that the database has not confirmed."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass

from .children import Job
from .ended import Ended

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answered:
    """An ending that the database has answered for, and the job that is let go with it."""

    ended: Ended
    job: Job
    is_accepted: bool
    """It is recorded now. If not, the job was no longer ours, or an earlier sending had been recorded."""


class Holdings:
    """The bookkeeping of one worker, which must agree with the database's; it asks nothing and decides nothing."""

    def __init__(self) -> None:
        self.jobs: dict[int, Job] = {}
        self.ended: dict[int, Ended] = {}
        self.stale = 0
        """Endings of jobs that were no longer ours, not yet counted in the database."""
        self._async_count = 0
        self._unsure: set[int] = set()
        """Endings that were sent and not confirmed: they may be in the database already."""

    def take(self, job: Job) -> None:
        """Hold a job from now on."""
        self.jobs[job.job_id] = job
        self._async_count += job.is_async

    def running(self) -> tuple[int, int]:
        """How many sync and how many async jobs are held that have not ended."""
        async_running = self._async_count and self._async_count - sum(self.jobs[each].is_async for each in self.ended)
        return len(self.jobs) - len(self.ended) - async_running, async_running

    def claims(self) -> list[tuple[int, int]]:
        """Job id and claim number of all that is held."""
        return [(job_id, job.claim_number) for job_id, job in self.jobs.items()]

    def end(self, job_id: int, ended: Ended) -> None:
        """Keep an ending until the database has confirmed it."""
        self.ended[job_id] = ended

    def send(self, most: int, *, but_not: Set[int] = frozenset()) -> tuple[dict[int, Ended], set[int]]:
        """Up to so many endings, which go to the database now, and those of them that may be there already."""
        sent = dict(self.ended) if len(self.ended) <= most else dict(itertools.islice(self.ended.items(), most))
        if but_not:
            sent = {job_id: ended for job_id, ended in sent.items() if job_id not in but_not}
        resent = self._unsure & set(sent)
        self._unsure |= set(sent)
        return sent, resent

    def let_others_go_first(self) -> None:
        """The ending that is sent first goes behind all others: sent alone it has failed."""
        first = next(iter(self.ended), None)
        if first is not None:
            self.ended[first] = self.ended.pop(first)

    def confirm(self, sent: Mapping[int, Ended], accepted: Set[int], resent: Set[int]) -> Iterator[Answered]:
        """Let go of what was sent; what was not accepted, and cannot have been before, counts as a stale write."""
        for job_id, ended in sent.items():
            if self.ended.get(job_id) is not ended:
                continue  # dropped while the answer was under way
            del self.ended[job_id]
            job = self._let_go(job_id)
            if job_id not in accepted and job_id not in resent:
                self._reject(job)
            yield Answered(ended, job, job_id in accepted)
        self._unsure -= set(sent)

    def drop(self, job_id: int) -> None:
        """Hold a job no longer that is no longer ours."""
        if self.ended.pop(job_id, None) is not None and job_id not in self._unsure:
            self._reject(self.jobs[job_id])
        self._unsure.discard(job_id)
        if job_id in self.jobs:
            self._let_go(job_id)

    def drop_running(self) -> int:
        """Hold nothing any more that has not ended; how many jobs that were."""
        running = [job_id for job_id in self.jobs if job_id not in self.ended]
        for job_id in running:
            self.drop(job_id)
        return len(running)

    def drop_all(self) -> None:
        """Hold nothing any more."""
        for job_id in list(self.jobs):
            self.drop(job_id)

    def _reject(self, job: Job) -> None:
        """Count an ending that came too late to be written."""
        self.stale += 1
        logger.warning("write rejected, the job is no longer ours id=%s task=%s", job.job_id, job.task_name)

    def _let_go(self, job_id: int) -> Job:
        job = self.jobs.pop(job_id)
        self._async_count -= job.is_async
        return job
