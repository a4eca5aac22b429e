"""What the queue's statements must do, in a hundred lines of Python and no database."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

GONE = ("succeeded", "aborted", "cancelled")


@dataclass(slots=True)
class Job:
    """A job as the model sees it."""

    id: int
    lock: str | None = None
    status: str = "todo"
    worker: int | None = None
    claim: int = 0
    attempts: int = 0
    crashes: int = 0
    rescues: int = 0
    abort: bool = False
    history: int = 0

    def seen(self) -> tuple[object, ...]:
        """What a dump can be compared with: a job that has left the queue is known by its history alone."""
        if self.status in GONE:
            return ("gone", self.history)
        return (self.status, self.worker, self.claim, self.attempts, self.crashes, self.rescues, self.history)


@dataclass(slots=True)
class Model:
    """Jobs and workers; each method is one statement."""

    jobs: dict[int, Job] = field(default_factory=dict)
    silent: dict[int, bool] = field(default_factory=dict)
    """The registered workers, and whether their lease has run out."""

    def claim(self, worker: int, n: int) -> list[int]:
        """The first `n` that wait, of each lock the first, and none of a lock that is held."""
        if worker not in self.silent:
            return []
        waiting = [job for _, job in sorted(self.jobs.items()) if job.status == "todo"]
        held = {job.lock for job in self.jobs.values() if job.status == "doing"}
        first: dict[str | None, int] = {}
        for job in waiting:
            first.setdefault(job.lock, job.id)
        free = [job for job in waiting if job.lock is None or (job.lock not in held and first[job.lock] == job.id)]
        for job in free[:n]:
            job.status, job.worker, job.claim = "doing", worker, job.claim + 1
        return [job.id for job in free[:n]]

    def finish(self, worker: int, endings: Iterable[tuple[int, int, str]]) -> set[int]:
        """Endings (job, claim, verdict) of a worker; those that were really its own."""
        accepted = set()
        for job_id, claim, verdict in endings:
            job = self.jobs[job_id]
            if (job.status, job.worker, job.claim) == ("doing", worker, claim):
                accepted.add(job_id)
                self._end(job, verdict)
        return accepted

    def renew(self, worker: int, held: Iterable[int]) -> None:
        """The lease begins anew; what the worker does not name goes back."""
        if worker not in self.silent:
            return
        self.silent[worker] = False
        named = set(held)
        for job in self.jobs.values():
            if job.status == "doing" and job.worker == worker and job.id not in named:
                self._end(job, "released")

    def rescue(self) -> None:
        """The jobs of silent workers wait again, and the workers are forgotten."""
        for worker in [worker for worker, is_silent in self.silent.items() if is_silent]:
            for job in self.jobs.values():
                if job.status == "doing" and job.worker == worker:
                    job.status = "aborted" if job.abort else "todo"
                    job.worker, job.abort = None, False
                    job.rescues, job.history = job.rescues + 1, job.history + 1
            del self.silent[worker]

    def cancel(self, job_id: int) -> None:
        """A waiting job leaves; a running one is asked to."""
        job = self.jobs[job_id]
        if job.status == "todo":
            job.status, job.history = "cancelled", job.history + 1
        elif job.status == "doing":
            job.abort = True

    def _end(self, job: Job, verdict: str) -> None:
        if job.abort and verdict in ("retry", "crashed", "released"):
            verdict = "aborted"
        job.history += verdict != "released"
        job.attempts += verdict == "retry"
        job.crashes += verdict == "crashed"
        job.worker, job.abort = None, False
        job.status = verdict if verdict in GONE else "todo"
