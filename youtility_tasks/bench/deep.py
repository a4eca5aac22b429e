"""Whether our queue is as fast when it is full: the same drain with much waiting, much for later, much locked, much ended."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from .measures import Bench
from .processes import crew, lines

_LIMIT_S = 600.0
_LEAD = 500
"""Jobs before the first mark, in which the worker finds its pace."""
_JOBS, _HISTORY = "procrastinate_jobs", "youtility_tasks_history"


@dataclass(frozen=True)
class Depths:
    """How many rows lie there; `jobs` is how many of the backlog are timed."""

    waiting: int = 1_000_000
    future: int = 100_000
    locked: int = 50_000
    """Behind one lock."""
    locks: int = 50_000
    """Each under a lock of its own and less urgent than what is timed, beside a crowd behind one lock."""
    finished: int = 10_000_000
    jobs: int = 30_000


def measure(bench: Bench, depths: Depths, say: Callable[[str], None]) -> dict[str, Any]:
    """Jobs per second of one worker beside each depth, and the ratio to an empty queue right before: a machine's pace changes over minutes."""
    empties: list[float] = []
    found: dict[str, Any] = {"empty": {"rows": 0}}
    for field in fields(Depths):
        rows = getattr(depths, field.name)
        if field.name != "jobs" and rows:
            say(f"deep queue: empty, and {rows:,} {field.name}")
            empties.append(_drain(bench, depths.jobs))
            rate = _drain(bench, depths.jobs, {field.name: rows})
            found[field.name] = {"rows": rows, "jobs_per_s": round(rate, 1), "ratio": round(rate / empties[-1], 3)}
    found["empty"]["jobs_per_s"] = round(statistics.median(empties or [_drain(bench, depths.jobs)]), 1)
    return found


def _drain(bench: Bench, n: int, depth: dict[str, int] | None = None) -> float:
    """The rate between two marks that lie `n` jobs apart at the head of the queue: many more than a worker holds at once."""
    marks = [bench.place.folder / f"deep{id(depth)}-{k}" for k in (0, 1)]
    bench.client.ask("clear")
    with psycopg.connect(bench.cluster.admin, dbname=bench.place.dbname, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")  # rows of millions, without a notification each
        _template(bench, connection)
        depth = depth or {}
        if "finished" in depth:
            _multiply_history(bench, connection, depth["finished"])
        if "future" in depth:
            _multiply(connection, depth["future"], scheduled_at="now() + interval '1 day'")
        if "locked" in depth:
            _multiply(connection, depth["locked"], lock="'bench'")
        if "locks" in depth:
            _multiply(connection, min(1_000, depth["locks"]), lock="'bench'")
            _multiply(connection, depth["locks"], lock="'bench ' || generate_series", priority="pattern.priority - 1")
        first = _multiply(connection, max(n + 2 * _LEAD, depth.get("waiting", 0)))
        for path, place in zip(marks, (_LEAD, _LEAD + n), strict=True):
            path.unlink(missing_ok=True)
            connection.execute(
                "UPDATE procrastinate_jobs SET task_name = 'bench_mark', args = %s WHERE id = %s",
                [json.dumps({"path": str(path), "sent": 0}), first + place],
            )
    bench.cluster.settle(bench.place.dbname)
    with crew(bench.place, 1) as made:
        times = [lines(path, 1, made, _LIMIT_S)[0][1] for path in marks]
    bench.client.ask("clear")
    return n / (times[1] - times[0])


def _template(bench: Bench, connection: psycopg.Connection[Any]) -> None:
    """One row as the API writes it, for all the others."""
    bench.client.ask("bulk", n=1, batch=1)
    connection.execute("CREATE TEMP TABLE pattern AS SELECT * FROM procrastinate_jobs LIMIT 1")
    connection.execute("DELETE FROM procrastinate_jobs")


def _multiply(connection: psycopg.Connection[Any], n: int, **columns: str) -> int:
    """Copy the pattern, with these columns changed; the id of the first copy."""
    found = connection.execute(
        "SELECT column_name FROM information_schema.columns WHERE table_name = %s AND column_name <> 'id' "
        "AND is_generated = 'NEVER'",
        [_JOBS],
    ).fetchall()
    names = [str(name) for (name,) in found]
    values = [sql.SQL(columns[name]) if name in columns else sql.Identifier("pattern", name) for name in names]
    copied = sql.SQL("INSERT INTO {} ({}) SELECT {} FROM pattern, generate_series(1, {}) RETURNING id")
    rows = sql.SQL("WITH made AS ({}) SELECT min(id) FROM made").format(
        copied.format(
            sql.Identifier(_JOBS),
            sql.SQL(", ").join(map(sql.Identifier, names)),
            sql.SQL(", ").join(values),
            sql.Literal(n),
        )
    )
    ((first,),) = connection.execute(rows).fetchall()
    return int(first)


def _multiply_history(bench: Bench, connection: psycopg.Connection[Any], n: int) -> None:
    """Let one job run, and copy what is recorded of it, as if a month of such jobs had ended."""
    mark: Path = bench.place.folder / "deep-finished"
    mark.unlink(missing_ok=True)
    with crew(bench.place, 1) as made:
        bench.client.ask("pickup", n=1, path=str(mark), pause_s=0)
        lines(mark, 1, made, _LIMIT_S)
        while bench.client.ask("left"):
            made.check()
    found = connection.execute(
        "SELECT column_name FROM information_schema.columns WHERE table_name = %s AND column_name <> 'id'", [_HISTORY]
    ).fetchall()
    names = [str(name) for (name,) in found]
    changed = {"job_id": sql.SQL("-g"), "finished_at": sql.SQL("finished_at - g * interval '250 ms'")}
    values = [changed.get(name, sql.Identifier(name)) for name in names]
    connection.execute("CREATE TEMP TABLE ended AS SELECT * FROM youtility_tasks_history LIMIT 1")
    connection.execute(
        sql.SQL("INSERT INTO {} ({}) SELECT {} FROM ended, generate_series(1, {}) g").format(
            sql.Identifier(_HISTORY),
            sql.SQL(", ").join(map(sql.Identifier, names)),
            sql.SQL(", ").join(values),
            sql.Literal(n),
        )
    )
