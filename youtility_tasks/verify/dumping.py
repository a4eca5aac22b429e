"""Reads the queue's tables as an outsider does: by SQL, with nothing of the engine."""

from __future__ import annotations

from typing import Any

import psycopg

from .entries import AttemptRow, Dump, JobRow

EFFECTS = "CREATE TABLE IF NOT EXISTS verify_effect (key text NOT NULL, job_id bigint)"
"""The rows of exactly-once effects. No unique constraint: the promise is what is tested."""

_JOBS = """
    SELECT id, coalesce(args ->> 'key', '') AS key, task_name AS task, status::text AS status, attempts,
           claim_number AS claim, crash_count AS crashes, rescue_count AS rescues, worker_id
      FROM procrastinate_jobs ORDER BY id
"""
_HISTORY = """
    SELECT job_id, coalesce(args ->> 'key', '') AS key, task_name AS task, attempt, claim_number AS claim, status, outcome,
           is_final, pid, worker_id, result
      FROM youtility_tasks_history ORDER BY job_id, id
"""


def dump(connection: psycopg.Connection[Any]) -> Dump:
    """The tables as they are now, in the connection's transaction if it has one."""
    effects = connection.execute("SELECT key, count(*) FROM verify_effect GROUP BY key").fetchall()
    counters = connection.execute("SELECT name, sum(value)::bigint FROM youtility_tasks_queuecounter GROUP BY name")
    return Dump(
        jobs=[JobRow(**row) for row in _rows(connection, _JOBS)],
        history=[AttemptRow(**row) for row in _rows(connection, _HISTORY)],
        effects=dict(effects),
        counters=dict(counters.fetchall()),
    )


def _rows(connection: psycopg.Connection[Any], statement: str) -> list[dict[str, Any]]:
    cursor = connection.execute(statement)
    names = [column.name for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor]
