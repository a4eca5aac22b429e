"""What a claim costs beside more tenants and more limits: the same claims in turn, and each case's ratio to the plainest.

`python -m tests.benchmarks.claim_cost URL` on an empty, migrated database of its own; nothing else should be running.
"""

from __future__ import annotations

import json
import random
import statistics
import sys
import time
from typing import Any, NamedTuple

import psycopg

from youtility_tasks import queries

QUEUE = "maintenance"


class Case(NamedTuple):
    """Tenants that wait, and limits that concern the queue and have room."""

    tenants: int
    controls: int


PLAINEST = Case(1, 0)
CASES = (PLAINEST, Case(5, 0), Case(200, 0), Case(1, 1), Case(1, 10), Case(5, 1), Case(5, 10))


def measure(url: str, *, rounds: int, claims: int, n: int, waiting: int) -> dict[str, Any]:
    """Milliseconds a claim of `n` jobs (the lower quartile of a round), and its ratio to the plainest case: medians over rounds."""
    order = random.Random(1)  # noqa: S311 - which case comes first in a round
    spent: dict[Case, list[float]] = {case: [] for case in CASES}
    for _ in range(rounds):
        for case in order.sample(CASES, len(CASES)):
            with psycopg.connect(url, autocommit=True) as session:
                # a quarter of the claims were no slower: what others do on the machine only ever adds
                spent[case].append(
                    statistics.quantiles(_claims(session, case, claims=claims, n=n, waiting=waiting), n=4)[0]
                )
    return {
        f"{case.tenants} tenants, {case.controls} limits": {
            "claim_ms": round(statistics.median(spent[case]), 3),
            "us_a_job": round(statistics.median(spent[case]) * 1000 / n, 2),
            "ratio": round(statistics.median(a / b for a, b in zip(spent[case], spent[PLAINEST], strict=True)), 3),
        }
        for case in CASES
    }


def _claims(session: psycopg.Connection[Any], case: Case, *, claims: int, n: int, waiting: int) -> list[float]:
    """The milliseconds of each claim; between two of them the jobs of the one before end."""
    worker_id = _set_up(session, case, waiting)
    pump: dict[str, Any] = {"worker_id": worker_id, "host": "h", "queue_name": QUEUE}
    statement = queries.statement("pump")
    spent = []
    for _ in range(claims):
        began = time.perf_counter()
        *claimed, _ = session.execute(statement, {**pump, "ended": None, "n": n}).fetchall()
        spent.append((time.perf_counter() - began) * 1000)
        assert len(claimed) == n
        endings = [
            {"id": row[3], "claim_number": row[8], "verdict": "succeeded", "outcome": "succeeded", "delay_s": 0}
            for row in claimed
        ]
        session.execute(statement, {**pump, "ended": json.dumps(endings), "n": 0})
    return spent[claims // 5 :]  # the first ones plan


def _set_up(session: psycopg.Connection[Any], case: Case, waiting: int) -> int:
    session.execute(
        "TRUNCATE procrastinate_jobs, youtility_tasks_queuecontrol, youtility_tasks_tenant, youtility_tasks_history CASCADE"
    )
    session.execute(
        "INSERT INTO youtility_tasks_tenant (id, name, is_active, weight, created_at)"
        " SELECT n, n::text, true, 1, now() FROM generate_series(1, %s) n",
        [case.tenants],
    )
    session.execute(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, args, tenant_id, priority, noted)"
        " SELECT %s, 't', '{}', 1 + n %% %s, 6, false FROM generate_series(1, %s) n",
        [QUEUE, case.tenants, waiting],
    )
    session.execute(
        "INSERT INTO youtility_tasks_queuecontrol (queue_name, task_name, tenant_id, max_running, rate_per_s, burst, tokens, is_paused,"
        " reason, changed_by, paused_by) SELECT %s, CASE WHEN n %% 2 = 0 THEN 't' ELSE '' END, nullif(n / 2, 0), 100000,"
        " CASE WHEN n %% 5 = 4 THEN 900000.0 END, 900000, 900000, false, '', '', '' FROM generate_series(1, %s) n",
        [QUEUE, case.controls],
    )
    session.execute("VACUUM ANALYZE procrastinate_jobs")
    me = {"host": "h", "pid": 1, "supervisor_pid": None, "queue_name": QUEUE, "slots": 4, "token": "", "dead": []}
    rows = session.execute(queries.statement("register_worker"), {**me, "lease_s": 600, "max_rescues": 10}).fetchall()
    return int(rows[0][0])


if __name__ == "__main__":
    found = measure(sys.argv[1], rounds=9, claims=40, n=100, waiting=50_000)
    sys.stdout.write(json.dumps(found, indent=2) + "\n")
