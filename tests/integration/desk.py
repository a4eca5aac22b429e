"""The worker's side of the queue, without its process: the statements that it sends."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from django.db import connection

from youtility_tasks import queries, queues
from youtility_tasks.models import Job


@dataclass(frozen=True)
class Claimed:
    """What a worker is told of a job that it has claimed."""

    id: int
    task_name: str
    args: dict[str, Any]
    attempts: int
    tenant_id: int
    claim_number: int
    crash_count: int
    has_lock: bool
    expires_in_s: float | None


class Desk:
    """The statements that a worker of one queue sends, without its process."""

    takes_short_way: ClassVar[bool] = True
    """As a worker does that has nothing to report; the long way must be as good by itself."""

    def __init__(self, queue_name: str = queues.MAINTENANCE, *, token: str = "", dead: Sequence[str] = ()) -> None:
        self.queue_name = queue_name
        me = {"host": "test", "pid": 1, "supervisor_pid": None, "queue_name": queue_name, "slots": 4}
        its = {"token": token, "dead": list(dead), "lease_s": 10, "max_rescues": 10}
        (self.id, *_), *rescued = queries.fetch("register_worker", {**me, **its})
        self.rescued = {job_id: verdict for _, _, job_id, _, verdict in rescued}
        """What its registration rescued: job id -> verdict."""

    def claim(self, n: int = 100, *, queue_name: str | None = None) -> list[Claimed]:
        rows = self._pump(None, n, queue_name or self.queue_name)[:-1]
        # Django's connection hands jsonb over as text.
        return [Claimed(job_id, name, json.loads(args), *more) for _, _, _, job_id, name, args, *more in rows]

    def take(self) -> Claimed:
        (job,) = self.claim()
        return job

    def finish(self, job: Claimed, verdict: str, **more: Any) -> bool:
        """Whether the write was accepted."""
        return self.finish_all([(job, verdict, more)]) == {job.id}

    def finish_all(self, endings: list[tuple[Claimed, str, dict[str, Any]]]) -> set[int]:
        outcome = {"retry": "retry", "released": "lost"}
        rows = [
            {
                "id": job.id,
                "claim_number": job.claim_number,
                "verdict": verdict,
                "outcome": outcome.get(verdict, verdict),
                "delay_s": 0,
                **more,
            }
            for job, verdict, more in endings
        ]
        return set(self._pump(rows, 0, self.queue_name)[-1][0])

    def renew(self, *held: Claimed, status: str = "running", after_s: float = 1) -> set[tuple[str, int | None]]:
        """So long after its last claim: of what was handed to it a moment ago a worker may not have heard yet."""
        execute(
            "UPDATE procrastinate_jobs SET claimed_at = claimed_at - %s * interval '1 second' WHERE worker_id = %s",
            after_s,
            self.id,
        )
        return set(
            queries.fetch(
                "renew",
                {
                    "worker_id": self.id,
                    "held": json.dumps([[job.id, job.claim_number] for job in held]),
                    "status": status,
                    "children": "[]",
                    "memory_bytes": 1,
                },
            )
        )

    def fall_silent(self, seconds: float = 60) -> None:
        execute(
            "UPDATE procrastinate_workers SET last_heartbeat = clock_timestamp() - %s * interval '1 second' WHERE id = %s",
            seconds,
            self.id,
        )

    def leave(self) -> int:
        ((given_back,),) = queries.fetch("unregister_worker", {"worker_id": self.id})
        return int(given_back)

    def pump(self, n: int) -> list[tuple[Any, ...]]:
        """The rows of one claim as the worker gets them, the last of which answers for the claim."""
        return self._pump(None, n, self.queue_name)

    def _pump(self, ended: list[dict[str, Any]] | None, n: int, queue_name: str) -> list[tuple[Any, ...]]:
        return queries.fetch(
            "pump_lone" if ended is None and self.takes_short_way else "pump",
            {
                "worker_id": self.id,
                "host": "test",
                "ended": None if ended is None else json.dumps(ended),
                "queue_name": queue_name,
                "n": n,
            },
        )


def rescue(*, lease_s: float = 10, max_rescues: int = 10) -> dict[int, str]:
    """Job id -> verdict."""
    rows = queries.fetch("rescue", {"lease_s": lease_s, "max_rescues": max_rescues})
    return {job_id: verdict for _, job_id, _, verdict in rows}


def execute(statement: str, *parameters: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)


def rows(statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return list(cursor.fetchall())


def job(job_id: int | str) -> Job:
    return Job.objects.get(pk=job_id)


def statuses() -> dict[int, str]:
    return dict(Job.objects.values_list("pk", "status"))
