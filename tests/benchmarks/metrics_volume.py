"""What numbers of ended attempts cost by how many are stored: a fold, a scrape, a page's question, and each ending.

    python -m tests.benchmarks.metrics_volume [rows]

fills a durable server of its own with that many attempts (10,000,000 unless told otherwise) of 30 days, 32 tasks on four queues and 12
tenants, folds them as they come, and prints one JSON document. Times are medians of 11, in ms. Nothing else should be running.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from tests.benchmarks import volume

ROWS = 10_000_000
DAYS = 30
_ROUNDS = 11
_HERE = "tests.benchmarks.metrics_volume"
_ENDED = """
    INSERT INTO youtility_tasks_history (job_id, task_name, queue_name, tenant_id, priority, attempt, claim_number, enqueued_at, finished_at,
                                         status, outcome, is_final, wait_ms, run_ms, cpu_ms, peak_memory_kib, args, host)
    SELECT n, t.name, q.queue_name, 1 + n %% 12, 5, 1, 1, now(), clock_timestamp() - %(ago_s)s * interval '1 second' * random(),
           CASE WHEN n %% 50 = 0 THEN 'failed' ELSE 'succeeded' END, CASE WHEN n %% 50 = 0 THEN 'retry' ELSE 'succeeded' END, n %% 50 > 0,
           exp(random() * 12), exp(random() * 9), 3, 60000, '{"id": 12345, "event": "created"}', 'host'
      FROM generate_series(1, %(n)s) n
      JOIN (SELECT row_number() OVER (ORDER BY u.name) AS k, u.name FROM unnest(%(tasks)s::text[]) u(name)) t ON t.k = 1 + n %% 32
      JOIN (SELECT row_number() OVER () AS k, u.queue_name FROM unnest(ARRAY['email', 'high_priority', 'maintenance', 'reports']) u(queue_name)) q
        ON q.k = 1 + n %% 4
"""

_EXACT = f"""
    SELECT task_name, {", ".join(f"percentile_disc({share}) WITHIN GROUP (ORDER BY {what}_ms)" for what in ("wait", "run") for share in (0.5, 0.95, 0.99))}
      FROM youtility_tasks_history WHERE finished_at >= %(since)s AND finished_at < %(until)s GROUP BY task_name
"""


def ended(n: int, *, ago_s: float = 60) -> None:
    """So many attempts that ended in the seconds before `ago_s` ago and now, in one transaction."""
    from django.db import connection

    from youtility_tasks import registry

    with connection.cursor() as cursor:
        cursor.execute(_ENDED, {"n": n, "ago_s": ago_s, "tasks": list(registry.registered())[:32]})


def fill(rows: int, days: int = DAYS) -> dict[str, float]:
    """The days with their attempts, folded as they come; how fast they were."""
    from django.db import connection
    from django.test import override_settings

    from youtility_tasks.upkeep import rollup

    seconds = 0.0
    with override_settings(YOUTILITY_TASKS={"metrics_late_hours": 24.0 * (days + 2)}), connection.cursor() as cursor:
        for day in range(days, -1, -1):
            cursor.execute("SELECT youtility_tasks_add_history_day_v1((now() - %s * interval '1 day')::date)", [day])
        left = rows
        while left > 0:
            some = min(left, 100_000)
            ended(some, ago_s=days * 86_400)
            left -= some
            began = time.monotonic()
            rollup.fold()
            seconds += time.monotonic() - began
        cursor.execute("VACUUM ANALYZE")
    return {"rows": rows, "folded_per_s": round(rows / seconds)}


def measure(rounds: int = _ROUNDS) -> dict[str, Any]:
    """Everything that is asked for while a system runs, in ms."""
    from django.db import connection

    from youtility_tasks import metrics
    from youtility_tasks.exporter import answering, source
    from youtility_tasks.upkeep import rollup

    now = metrics.database_clock()
    own = source.Source()
    answering.registry.cache_clear()
    text, _ = answering.body("")

    def ago(**span: float) -> dict[str, Any]:
        return {"since": now - timedelta(**span), "until": now}

    def fresh_scrape() -> None:
        own.close()
        assert own.read() is not None

    found: dict[str, Any] = {
        "fold_of_nothing": _ms(rollup.fold, rounds),
        "fold_of_1000": _ms(rollup.fold, rounds, before=lambda: ended(1_000)),
        "scrape": _ms(lambda: answering.body(""), rounds),
        "scrape_reading_on_a_new_connection": _ms(fresh_scrape, rounds),
        "scrape_bytes": len(text),
        "summary_of_an_hour_by_task": _ms(lambda: metrics.summary(**ago(hours=1), by="task"), rounds),
        "summary_of_a_day_by_task": _ms(lambda: metrics.summary(**ago(days=1), by="task"), rounds),
        "summary_of_30_days_by_task": _ms(lambda: metrics.summary(**ago(days=30), by="task"), rounds),
        "summary_of_a_day_by_task_of_a_tenant": _ms(
            lambda: metrics.summary(**ago(days=1), by="task", tenant_id=7), rounds
        ),
        "series_of_a_day_by_queue": _ms(lambda: metrics.series(**ago(days=1), step_s=300, group_by="queue"), rounds),
        "series_of_an_hour": _ms(lambda: metrics.series(**ago(hours=1), step_s=60), rounds),
    }
    found["percentiles_off"] = percentiles_off(now)
    ended(10_000)
    found["summary_of_an_hour_with_10000_not_folded"] = _ms(lambda: metrics.summary(**ago(hours=1), by="task"), rounds)
    rollup.fold()
    with connection.cursor() as cursor:
        cursor.execute("SELECT resolution_s, count(*) FROM youtility_tasks_taskperformancemetrics GROUP BY 1")
        found["rows"] = dict(cursor.fetchall())
        cursor.execute("SELECT pg_total_relation_size('youtility_tasks_taskperformancemetrics')")
        found["metrics_mb"] = round(cursor.fetchone()[0] / 1e6)
        cursor.execute(
            "SELECT sum(pg_total_relation_size(i.inhrelid))::bigint FROM pg_inherits i WHERE i.inhparent = 'youtility_tasks_history'::regclass"
        )
        found["history_mb"] = round(cursor.fetchone()[0] / 1e6)
        # As the migration builds it, over rows that have no entry in it.
        build = "CREATE INDEX ON youtility_tasks_history (written_in) WHERE written_in > '9223372036854775807'"
        found["index_of_no_entry_built"] = _ms(lambda: cursor.execute(build), 1)
    return found


def percentiles_off(now: datetime) -> float:
    """How far any percentile of yesterday, of any task, is from the exact one of its attempts: the worst share."""
    from django.db import connection

    from youtility_tasks import metrics

    until = now.replace(hour=0, minute=0, second=0, microsecond=0)
    span = {"since": until - timedelta(days=1), "until": until}
    with connection.cursor() as cursor:
        cursor.execute(_EXACT, span)
        exact = {name: numbers for name, *numbers in cursor.fetchall()}
    told = {str(each.task_name): each for each in metrics.summary(**span, by="task")}
    assert told and set(told) == set(exact)
    words = [f"{what}_p{percent}_ms" for what in ("wait", "run") for percent in (50, 95, 99)]
    pairs = [
        (getattr(told[name], word), right) for name in exact for word, right in zip(words, exact[name], strict=True)
    ]
    return round(max(abs(said - right) / right for said, right in pairs), 4)


def ending_us() -> dict[str, float]:
    """What it costs to write an attempt, in batches of 100, with its transaction's number and without, in us; rounds take turns."""
    from django.db import connection, transaction

    from youtility_tasks import registry

    plain = "CREATE TABLE plain_history (LIKE youtility_tasks_history INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING IDENTITY)"
    took: dict[str, list[float]] = {"with": [], "without": []}
    with connection.cursor() as cursor:
        cursor.execute(plain)
        cursor.execute(
            "CREATE TABLE numbered_history (LIKE youtility_tasks_history INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING IDENTITY)"
        )
        for table in ("plain_history", "numbered_history"):
            for n, columns in enumerate(
                ("(finished_at, id)", "(job_id)", "(tenant_id, finished_at)", "(task_name, finished_at)")
            ):
                cursor.execute(f"CREATE INDEX {table}_{n} ON {table} {columns}")
        cursor.execute("ALTER TABLE plain_history ALTER COLUMN written_in DROP DEFAULT")
        cursor.execute("CREATE INDEX ON numbered_history (written_in) WHERE written_in IS NOT NULL")
        call = {"n": 100, "ago_s": 0.001, "tasks": list(registry.registered())[:32]}
        for _ in range(_ROUNDS):
            for name, table in (("with", "numbered_history"), ("without", "plain_history")):
                statement = _ENDED.replace("youtility_tasks_history", table)
                began = time.monotonic()
                for _ in range(100):
                    with transaction.atomic():
                        cursor.execute(statement, call)
                took[name].append((time.monotonic() - began) / 10_000 * 1e6)
    return {name: round(statistics.median(each), 2) for name, each in took.items()}


def _ms(act: Callable[[], Any], rounds: int, *, before: Callable[[], Any] = lambda: None) -> float:
    took = []
    for _ in range(rounds):
        before()
        began = time.monotonic()
        act()
        took.append((time.monotonic() - began) * 1_000)
    return round(statistics.median(took), 1)


def main(arguments: list[str]) -> None:
    if arguments and arguments[0].startswith("--"):
        import django

        django.setup()
        steps = {
            "--fill": lambda: fill(*map(int, arguments[1:])),
            "--measure": lambda: measure(*map(int, arguments[1:])),
            "--ending": ending_us,
        }
        volume.tell(steps[arguments[0]])
        return
    rows = int(arguments[0]) if arguments else ROWS
    with volume.server() as database:
        url = database()
        said = {
            name: volume.measure(url, _HERE, *words).said
            for name, words in {"fill": ["--fill", str(rows)], "ms": ["--measure"], "ending_us": ["--ending"]}.items()
        }
    sys.stdout.write(json.dumps(said, indent=2) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
