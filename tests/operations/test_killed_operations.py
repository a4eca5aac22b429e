"""An operation whose worker is killed in the middle of a batch: another one goes on, nothing is lost and nothing done twice."""

from __future__ import annotations

import contextlib
import os
import signal
from collections import Counter

import psutil
import psycopg
import pytest

from tests.acceptance.conftest import crew
from tests.acceptance.crew import Crew, Supervisor, until

__all__ = ["crew"]

LETTERS = """
    INSERT INTO procrastinate_jobs (queue_name, task_name, noted, tenant_id, status, failed_at, attempts, fingerprint)
    SELECT 'reports', 't', false, 7, 'failed', clock_timestamp(), 3, 'aaaaaaaaaaaaaaaa' FROM generate_series(1, %s) RETURNING id
"""
BEGUN = """
    INSERT INTO youtility_tasks_taskoperation (tenant_id, act, filter, reason, started_by, newest_id, total_count, done_count, refused_count,
        refused, after_id, is_stopped)
    SELECT 7, 'retry', '{}', 'so', 'ann', max(id), count(*), 0, 0, '[]', 0, false FROM procrastinate_jobs RETURNING id
"""
N, BATCH = 5_000, 500
"""Of dead letters, and as `operations.carrying.BATCH`."""


def kill_all(supervisor: Supervisor) -> None:
    family = supervisor.family()
    os.kill(supervisor.pid, signal.SIGKILL)
    for process in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    supervisor.process.wait(10)


@pytest.mark.timeout(120)
def test_thousands_of_retries_survive_the_death_of_their_worker(crew: Crew) -> None:
    queue = crew.queue
    queue.rows(
        "INSERT INTO youtility_tasks_tenant (id, name, is_active, weight, created_at) VALUES (7, 'Acme', true, 1, now())"
    )
    letters = [job_id for (job_id,) in queue.rows(LETTERS, N)]
    first = crew.start()
    with psycopg.connect(queue.url) as somebody:
        # Whom the sixth batch has to wait for: it has acted on nothing yet when its worker dies.
        somebody.execute("SELECT FROM procrastinate_jobs WHERE id = %s FOR UPDATE", [letters[5 * BATCH + 100]])
        ((operation,),) = queue.rows(BEGUN)
        until(lambda: queue.rows("SELECT 1 FROM youtility_tasks_taskoperation WHERE done_count = %s", 5 * BATCH))
        until(
            lambda: queue.rows(
                "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%%operation_batch%%'"
            )
        )
        kill_all(first)
        assert queue.rows("SELECT status::text, count(*) FROM procrastinate_jobs GROUP BY 1 ORDER BY 1") == [
            ("failed", N - 5 * BATCH), ("todo", 5 * BATCH),
        ]  # fmt: skip
    crew.start(queues=("maintenance", "email"))

    until(lambda: queue.rows("SELECT 1 FROM youtility_tasks_taskoperation WHERE ended_at IS NOT NULL"), within_s=60)

    assert queue.rows("SELECT status::text, claim_number, count(*) FROM procrastinate_jobs GROUP BY 1, 2") == [
        ("todo", 1, N)
    ], "each once"
    assert queue.rows("SELECT done_count, refused_count FROM youtility_tasks_taskoperation") == [(N, 0)]
    batches = queue.rows("SELECT job_ids FROM youtility_tasks_operationbatch WHERE operation_id = %s", operation)
    assert Counter(each for (ids,) in batches for each in ids) == dict.fromkeys(letters, 1)
    ((after, actor),) = queue.rows("SELECT after, actor FROM youtility_tasks_taskauditlog WHERE act = 'end operation'")
    assert (after["done"], after["refused"], actor) == (N, 0, "ann")
