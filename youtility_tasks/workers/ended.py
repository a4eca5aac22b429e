"""How an attempt ended, on its way to the database and to the log."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from youtility_tasks.finish import Decision, Verdict

from .children import Job

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ended:
    """What a child, or its death, said of an attempt, and what that means for the job."""

    ending: dict[str, Any]
    decision: Decision

    def as_row(self) -> dict[str, Any]:
        """What `youtility_tasks_finish_v2` reads of it."""
        return {
            **{key: value for key, value in self.ending.items() if key != "happened"},
            "verdict": self.decision.verdict,
            "outcome": self.decision.outcome,
            "delay_s": self.decision.delay_s,
        }

    def log(self, job: Job) -> None:
        """One line: INFO, or ERROR for a new dead letter."""
        decision = self.decision
        if decision.verdict is Verdict.SUCCEEDED:
            logger.info(
                "job succeeded id=%s task=%s tenant=%s attempt=%s run_ms=%.0f",
                job.job_id, job.task_name, job.tenant_id, job.attempt, self.ending.get("run_ms") or 0,
            )  # fmt: skip
            return
        logger.log(
            logging.ERROR if decision.verdict is Verdict.FAILED else logging.INFO,
            "job %s id=%s task=%s tenant=%s attempt=%s/%s outcome=%s retry_in_s=%.0f error=%s",
            decision.verdict, job.job_id, job.task_name, job.tenant_id, job.attempt,
            job.task.max_attempts if job.task else 1, decision.outcome, decision.delay_s,
            self.ending.get("error_class", ""),
        )  # fmt: skip
