"""Plays a worker and its child: claims what is released, runs it for real or ends it as the test says."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tests.integration.desk import Claimed, Desk, rows
from youtility_tasks import Run
from youtility_tasks.workers.run import Assignment, begin, run_sync


class Play:
    """One worker of the maintenance queue, step by step."""

    def __init__(self) -> None:
        self.desk = Desk()
        self.held: dict[str, Claimed] = {}

    def take(self) -> list[str]:
        """Claim all that may run; the names of the steps, in order. Items are named after their fan-out and place."""
        claimed = {job.id: job for job in self.desk.claim(10_000)}
        named = rows(
            "SELECT s.name, s.job_id FROM youtility_tasks_workflowstep s WHERE s.job_id = ANY (%s)", list(claimed)
        )
        self.held |= {str(name): claimed[job_id] for name, job_id in named}
        return sorted(self.held)

    def end(self, *names: str, verdict: str = "succeeded", **more: Any) -> None:
        """End these steps in one statement."""
        endings = [(self.held.pop(name), verdict, more) for name in names]
        assert len(self.desk.finish_all(endings)) == len(names)

    def fail(self, *names: str, **more: Any) -> None:
        self.end(*names, verdict="failed", error_class="builtins.ValueError", error_message="no", **more)

    def run(self, *names: str) -> list[dict[str, Any]]:
        """Run the tasks of these steps as a child does, and end them as that says; what each came to."""
        endings = []
        for name in names:
            job = self.held[name]
            told = run_sync(
                begin(
                    Assignment(
                        job.id, job.claim_number, job.task_name, job.args, job.attempts + 1, job.tenant_id, self.desk.id
                    )
                )
            )
            happened = told.pop("happened")
            told.pop("id"), told.pop("claim_number")
            endings.append((name, "succeeded" if happened == "returned" else "failed", told))
        for name, verdict, told in endings:
            self.end(name, verdict=verdict, **told)
        return [told for _, _, told in endings]

    def run_all(self) -> None:
        """Until nothing may run."""
        while names := self.take():
            self.run(*names)


def jobs_of(run: Run) -> int:
    """How many jobs the steps of a run have had, by the history and the queue."""
    ((n,),) = rows(
        "SELECT count(DISTINCT x.id) FROM (SELECT h.job_id AS id, h.args FROM youtility_tasks_history h UNION ALL"
        " SELECT j.id, j.args FROM procrastinate_jobs j) x WHERE (x.args -> '$flow' ->> 1)::bigint = %s",
        run.id,
    )
    return int(n)


def words(statuses: dict[str, str], names: Iterable[str]) -> list[str]:
    return [statuses[name] for name in names]
