"""What workflows cost: a job without one beside the same code without their triggers, and a fan-out by its size.

`python -m tests.benchmarks.flow_cost URL` on an empty, migrated database of its own; nothing else should be running.
"""

from __future__ import annotations

import json
import random
import statistics
import sys
import time
from typing import Any

import psutil
import psycopg

from youtility_tasks import queries

QUEUE, OTHER = "maintenance", "reports"
TRIGGERS = (
    "youtility_tasks_note_step_gone", "youtility_tasks_note_step_ended", "youtility_tasks_step_gone", "youtility_tasks_step_ended",
    "youtility_tasks_step_retried",
)  # fmt: skip
_PUMP = queries.statement("pump")


def measure(url: str, *, rounds: int, pumps: int, n: int, sizes: tuple[int, ...]) -> dict[str, Any]:
    """The server's microseconds a job of a claim and a finish of `n`, with and without the triggers; and of each size of a fan-out its seconds."""
    with psycopg.connect(url, autocommit=True) as session:
        worker_id = _set_up(session)
        return {
            "plain_job": _plain(session, worker_id, rounds=rounds, pumps=pumps, n=n),
            "fan_out": {str(size): _fan(session, worker_id, size) for size in sizes},
        }


def _set_up(session: psycopg.Connection[Any]) -> int:
    session.execute("TRUNCATE procrastinate_jobs, youtility_tasks_taskworkflow, youtility_tasks_history CASCADE")
    session.execute(
        "INSERT INTO youtility_tasks_tenant (id, name, is_active, weight, created_at) VALUES (1, 'one', true, 1, now()) ON CONFLICT DO NOTHING"
    )
    row = session.execute(
        queries.statement("register_worker"),
        {
            "host": "h",
            "pid": 1,
            "supervisor_pid": None,
            "queue_name": QUEUE,
            "slots": 1,
            "token": "",
            "dead": [],
            "lease_s": 3600,
            "max_rescues": 9,
        },
    ).fetchone()
    assert row is not None
    return int(row[0])


def _pump(
    session: psycopg.Connection[Any], worker_id: int, ended: list[dict[str, Any]] | None, n: int, queue: str = QUEUE
) -> list[Any]:
    given = {
        "worker_id": worker_id,
        "host": "h",
        "ended": json.dumps(ended) if ended else None,
        "queue_name": queue,
        "n": n,
    }
    return session.execute(_PUMP, given).fetchall()[:-1]


def _endings(claimed: list[Any]) -> list[dict[str, Any]]:
    return [
        {"id": row[3], "claim_number": row[8], "verdict": "succeeded", "outcome": "succeeded", "delay_s": 0}
        for row in claimed
    ]


def _plain(session: psycopg.Connection[Any], worker_id: int, *, rounds: int, pumps: int, n: int) -> dict[str, Any]:
    order = random.Random(1)  # noqa: S311 - which comes first in a round
    spent: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(rounds):
        for with_triggers in order.sample([True, False], 2):
            for trigger in TRIGGERS:
                session.execute(
                    f"ALTER TABLE procrastinate_jobs {'ENABLE' if with_triggers else 'DISABLE'} TRIGGER {trigger}"
                )
            session.execute("TRUNCATE procrastinate_jobs, youtility_tasks_history CASCADE")
            session.execute(
                "INSERT INTO procrastinate_jobs (queue_name, task_name, tenant_id, noted, args)"
                " SELECT %s, 'nobody', 1, false, '{\"a\": 1}' FROM generate_series(1, %s)",
                [QUEUE, n * pumps],
            )
            session.execute("VACUUM ANALYZE procrastinate_jobs")
            claimed = _pump(session, worker_id, None, n)
            began = _cpu_s(session)
            for _ in range(pumps - 1):
                claimed = _pump(session, worker_id, _endings(claimed), n)
            spent[with_triggers].append((_cpu_s(session) - began) * 1e6 / n / (pumps - 1))
    for trigger in TRIGGERS:
        session.execute(f"ALTER TABLE procrastinate_jobs ENABLE TRIGGER {trigger}")
    return {
        "cpu_us_a_job": round(statistics.median(spent[True]), 2),
        "cpu_us_a_job_without": round(statistics.median(spent[False]), 2),
        "ratio": round(statistics.median(a / max(b, 1e-9) for a, b in zip(spent[True], spent[False], strict=True)), 3),
        "ratios": sorted(round(a / max(b, 1e-9), 3) for a, b in zip(spent[True], spent[False], strict=True)),
    }


def _cpu_s(session: psycopg.Connection[Any]) -> float:
    """Processor seconds that the server's process of this session has used; what else runs on the machine does not count."""
    times = psutil.Process(session.info.backend_pid).cpu_times()
    return times.user + times.system


def _fan(session: psycopg.Connection[Any], worker_id: int, size: int) -> dict[str, Any]:
    """A list of `size` is a job each, and one step comes after them all; beside them another queue's jobs are claimed."""
    session.execute("TRUNCATE procrastinate_jobs, youtility_tasks_taskworkflow, youtility_tasks_history CASCADE")
    session.execute(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, tenant_id, noted, args)"
        " SELECT q, 'other', 1, false, '{}' FROM unnest(ARRAY[%s, %s]) q, generate_series(1, 4000)",
        [OTHER, QUEUE],
    )
    session.execute("VACUUM ANALYZE")
    before = _claims(session, worker_id)
    its = {"run": 0, "needs_all": True, "task_name": "nobody", "queue_name": QUEUE, "priority": 1, "args": {}}
    flow = {
        "runs": [{"name": "fan", "step_count": 2}], "context": {},
        "steps": [{**its, "name": "all", "kind": "fan_out", "edge_count": 0, "over": {"list": [{"args": {"n": n}} for n in range(size)]}},
                  {**its, "name": "last", "kind": "task", "edge_count": 1}],
        "edges": [{"run": 0, "parent": "all", "child": "last", "kind": "success"}],
    }  # fmt: skip
    began = time.perf_counter()
    session.execute("SELECT youtility_tasks_flow_start_v1(%s::jsonb, 1, false)", [json.dumps(flow)])
    started_s = time.perf_counter() - began
    beside = _claims(session, worker_id)
    session.execute("DELETE FROM procrastinate_jobs WHERE queue_name = %s AND step_id IS NULL", [QUEUE])
    pumps, ended, drained_s = 0, 0, 0.0
    claimed = _pump(session, worker_id, None, 100)
    while claimed:
        began = time.perf_counter()
        ended, pumps = ended + len(claimed), pumps + 1
        claimed = _pump(session, worker_id, _endings(claimed), 100)
        drained_s += time.perf_counter() - began
    assert ended == size + 1
    ((status, jobs),) = session.execute(
        "SELECT w.status, (SELECT count(DISTINCT job_id) FROM youtility_tasks_history) FROM youtility_tasks_taskworkflow w"
    ).fetchall()
    assert (status, jobs) == ("succeeded", size + 1 + _CLAIMS * 2 * 100)
    return {
        "start_s": round(started_s, 3),
        "start_us_a_step": round(started_s * 1e6 / size, 1),
        "drain_us_a_step": round(drained_s * 1e6 / size, 1),
        "other_claim_ms": {"before": before, "beside": beside},
    }


_CLAIMS = 15


def _claims(session: psycopg.Connection[Any], worker_id: int) -> float:
    """Milliseconds of a claim of 100 jobs of another queue, the lower quartile."""
    spent = []
    for _ in range(_CLAIMS):
        began = time.perf_counter()
        claimed = _pump(session, worker_id, None, 100, OTHER)
        spent.append((time.perf_counter() - began) * 1000)
        assert len(claimed) == 100
        _pump(session, worker_id, _endings(claimed), 0, OTHER)
    return round(statistics.quantiles(spent[3:], n=4)[0], 2)


if __name__ == "__main__":
    sys.stdout.write(
        json.dumps(measure(sys.argv[1], rounds=9, pumps=150, n=100, sizes=(1_000, 10_000, 40_000)), indent=2) + "\n"
    )
