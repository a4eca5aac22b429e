"""What a worker logs of attempts that were recorded together."""

from __future__ import annotations

import logging

import pytest

from youtility_tasks.finish import Decision, Verdict
from youtility_tasks.status import Outcome
from youtility_tasks.workers import ended
from youtility_tasks.workers.children import Job

SUCCESS = Decision(Verdict.SUCCEEDED, Outcome.SUCCEEDED)
DEAD = Decision(Verdict.FAILED, Outcome.FAILED)


def pair(job_id: int, task_name: str, decision: Decision = SUCCESS) -> tuple[ended.Ended, Job]:
    job = Job(job_id, 1, task_name, "{}", 1, job_id % 3, 7, None)
    return ended.Ended({"id": job_id, "run_ms": 2.0, "error_class": "builtins.ValueError"}, decision), job


def logged(caplog: pytest.LogCaptureFixture, batch: list[tuple[ended.Ended, Job]]) -> list[str]:
    with caplog.at_level(logging.INFO):
        ended.log(batch)
    return [f"{record.levelname} {record.getMessage()}" for record in caplog.records]


def test_a_few_successes_have_a_line_each(caplog: pytest.LogCaptureFixture) -> None:
    lines = logged(caplog, [pair(1, "a"), pair(2, "b")])

    assert lines == [
        "INFO job succeeded id=1 task=a tenant=1 attempt=1 run_ms=2",
        "INFO job succeeded id=2 task=b tenant=2 attempt=1 run_ms=2",
    ]


def test_a_crowd_of_successes_has_one_line_a_task_and_hides_no_failure(caplog: pytest.LogCaptureFixture) -> None:
    crowd = [pair(n, "a" if n < 50 else "b") for n in range(1, 61)]

    lines = logged(caplog, [*crowd, pair(99, "a", DEAD)])

    assert lines == [
        "ERROR job failed id=99 task=a tenant=0 attempt=1/1 outcome=failed retry_in_s=0 error=builtins.ValueError",
        "INFO jobs succeeded count=49 task=a tenants=3 ids=1..49 run_ms=98",
        "INFO jobs succeeded count=11 task=b tenants=3 ids=50..60 run_ms=22",
    ]
