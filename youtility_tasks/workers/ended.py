"""How an attempt ended, on its way to the database and to the log."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from youtility_tasks.finish import Decision, Verdict

from . import traced
from .children import Job

_A_LINE_EACH = 20
"""So many successes of one batch have a line each. More have one a task: a line costs a tenth of what a short job costs."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ended:
    """What a child, or its death, said of an attempt, and what that means for the job."""

    ending: dict[str, Any]
    decision: Decision

    def as_row(self) -> dict[str, Any]:
        """What `youtility_tasks_finish_v2` reads of it."""
        return {
            **{key: value for key, value in self.ending.items() if key not in ("happened", "asked_s")},
            "verdict": self.decision.verdict,
            "outcome": self.decision.outcome,
            "delay_s": self.decision.delay_s,
        }


def log(batch: Sequence[tuple[Ended, Job]]) -> None:
    """What was recorded together: INFO for an attempt, or for a crowd of successes of one task; ERROR for a new dead letter."""
    succeeded = [(ended, job) for ended, job in batch if ended.decision.verdict is Verdict.SUCCEEDED]
    for ended, job in batch:
        if ended.decision.verdict is not Verdict.SUCCEEDED:
            _log_unsuccessful(ended, job)
    if len(succeeded) > _A_LINE_EACH:
        _log_crowd(succeeded)
        return
    for ended, job in succeeded:
        logger.info(
            "job succeeded id=%s task=%s tenant=%s attempt=%s run_ms=%.0f",
            job.job_id, job.task_name, job.tenant_id, job.attempt, ended.ending.get("run_ms") or 0,
            extra=traced.fields(job),
        )  # fmt: skip


def _log_crowd(succeeded: Sequence[tuple[Ended, Job]]) -> None:
    by_task: defaultdict[str, list[tuple[Ended, Job]]] = defaultdict(list)
    for ended, job in succeeded:
        by_task[job.task_name].append((ended, job))
    for task_name, members in by_task.items():
        logger.info(
            "jobs succeeded count=%s task=%s tenants=%s ids=%s..%s run_ms=%.0f",
            len(members), task_name, len({job.tenant_id for _, job in members}),
            min(job.job_id for _, job in members), max(job.job_id for _, job in members),
            sum(ended.ending.get("run_ms") or 0 for ended, _ in members),
        )  # fmt: skip


def _log_unsuccessful(ended: Ended, job: Job) -> None:
    decision = ended.decision
    logger.log(
        logging.ERROR if decision.verdict is Verdict.FAILED else logging.INFO,
        "job %s id=%s task=%s tenant=%s attempt=%s/%s outcome=%s retry_in_s=%.0f error=%s",
        decision.verdict, job.job_id, job.task_name, job.tenant_id, job.attempt,
        job.task.max_attempts if job.task else 1, decision.outcome, decision.delay_s,
        ended.ending.get("error_class", ""),
        extra=traced.fields(job),
    )  # fmt: skip
