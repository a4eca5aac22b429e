"""A company's database at size, for what reads it: rows made by the database itself, and told apart by tenant, task and time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import psycopg

from tests.tenancy.ground import House

BIG = 1
"""The tenant of every third row; the last one has every thousandth or so."""
GROUPS = 50
STEPS = 12
CROWD = 1_000
"""Steps of the one workflow that is large."""
_BATCH = 500_000


@dataclass(frozen=True)
class Size:
    """How much there is of everything."""

    attempts: int
    waiting: int
    tenants: int
    letters: int
    schedules: int
    workflows: int
    acts: int
    days: int = 30
    """Of history."""

    @classmethod
    def of(cls, attempts: int, waiting: int, tenants: int, days: int = 30) -> Size:
        """What goes with so many attempts: at ten millions 100,000 dead letters, 5,000 schedules, 2,000 workflows, 200,000 acts."""
        part = attempts / 10_000_000
        return cls(
            attempts, waiting, tenants, attempts // 100, max(60, int(5_000 * part)), max(40, int(2_000 * part)), max(300, int(200_000 * part)), days
        )  # fmt: skip

    @property
    def small(self) -> int:
        """The tenant that has least."""
        return self.tenants

    @property
    def oldest_waiting(self) -> int:
        """The least id of a job that waits."""
        return self.attempts + 1_000


_WHO = "CASE WHEN n %% 2000 IN (998, 1500) THEN %(tenants)s WHEN n %% 10 < 3 THEN 1 ELSE 2 + (hashint8(n)::bigint & 2147483647) %% (%(tenants)s - 2) END"
_WHAT = "(hashint8(n * 31 + 5)::bigint & 2147483647) %% cardinality(%(tasks)s::text[]) + 1"
"""Of row number n: whose, and which task. By a hash, so that each tenant has each task in each hour."""

_TENANTS = """
    INSERT INTO youtility_tasks_tenant (id, name, is_active, weight, created_at)
    SELECT n, 'Client ' || n, true, 1 + n %% 3, %(now)s FROM generate_series(1, %(tenants)s) n ON CONFLICT DO NOTHING
"""
_HISTORY = f"""
    INSERT INTO youtility_tasks_history (job_id, task_name, queue_name, tenant_id, priority, attempt, claim_number, enqueued_at, started_at,
                                         finished_at, status, outcome, is_final, wait_ms, run_ms, cpu_ms, peak_memory_kib, args, host,
                                         error_class, error_message, traceback)
    SELECT r.job_id, (%(tasks)s::text[])[r.what], (%(queues)s::text[])[r.what], r.who, 5, CASE WHEN r.ended = 'retry' THEN 1 ELSE 2 END, 1,
           r.at - (r.run_ms + r.wait_ms) * interval '1 millisecond', r.at - r.run_ms * interval '1 millisecond', r.at,
           CASE r.ended WHEN 'retry' THEN 'failed' ELSE r.ended END, r.ended, r.ended <> 'retry', r.wait_ms, r.run_ms, 3, 60000,
           CASE WHEN r.ended <> 'retry' THEN jsonb_build_object('id', r.n, 'event', 'created') END, 'host',
           CASE WHEN r.ended IN ('retry', 'failed') THEN 'builtins.ValueError' ELSE '' END,
           CASE WHEN r.ended IN ('retry', 'failed') THEN 'no such site: ' || r.n ELSE '' END,
           CASE WHEN r.ended IN ('retry', 'failed') THEN 'Traceback (most recent call last):' || chr(10) || '  File "/srv/tasks.py", line 7, in work' ELSE '' END
      FROM (SELECT n, CASE WHEN n %% 100 = 99 THEN n + 1 ELSE n END + %(shift)s AS job_id, {_WHO} AS who, {_WHAT} AS what,
                   %(now)s - ((%(attempts)s - n) * %(days)s * 86400.0 / %(attempts)s) * interval '1 second' AS at,
                   CASE WHEN n %% 100 = 0 THEN 'failed' WHEN n %% 100 = 99 THEN 'retry' WHEN n %% 100 = 50 THEN 'cancelled' ELSE 'succeeded' END AS ended,
                   exp(random() * 8) AS wait_ms, exp(2 + random() * 6) AS run_ms
              FROM generate_series(%(first)s, %(last)s) n) r
"""
_WAITING = f"""
    INSERT INTO procrastinate_jobs (id, queue_name, task_name, tenant_id, priority, args, status, scheduled_at, enqueued_at, noted, lock,
                                    unique_key, worker_id, claimed_at)
    SELECT %(attempts)s + 1000 + n, (%(queues)s::text[])[r.what], (%(tasks)s::text[])[r.what], r.who, 6,
           jsonb_build_object('id', n, 'event', 'created'),
           (CASE WHEN n > %(waiting)s - 50 THEN 'doing' ELSE 'todo' END)::procrastinate_job_status,
           CASE WHEN n %% 10 = 0 THEN %(now)s + n %% 86400 * interval '1 second' END,
           %(now)s - (%(waiting)s - n) * interval '3600 seconds' / %(waiting)s, false,
           CASE WHEN n %% 20 = 0 THEN r.who || ':site-' || n END, CASE WHEN n %% 20 = 5 THEN 'visit-' || n END,
           CASE WHEN n > %(waiting)s - 50 THEN 9001 + n %% 4 END, CASE WHEN n > %(waiting)s - 50 THEN %(now)s END
      FROM (SELECT n, {_WHO} AS who, {_WHAT} AS what FROM generate_series(1, %(waiting)s) n) r
"""
_LETTERS = f"""
    INSERT INTO procrastinate_jobs (id, queue_name, task_name, tenant_id, priority, args, status, attempts, enqueued_at, failed_at, noted,
                                    fingerprint)
    SELECT n, (%(queues)s::text[])[r.what], (%(tasks)s::text[])[r.what], r.who, 6, jsonb_build_object('id', n), 'failed', 2, r.at, r.at, false,
           left(md5(r.what || '-' || n / 100 %% 2), 16)
      FROM (SELECT n, {_WHO} AS who, {_WHAT} AS what,
                   %(now)s - ((%(attempts)s - n) * %(days)s * 86400.0 / %(attempts)s) * interval '1 second' AS at
              FROM generate_series(100, %(letters)s * 100, 100) n) r
"""
_ACTS = """
    INSERT INTO youtility_tasks_taskauditlog (at, actor, act, target, tenant_id, reason, after)
    SELECT %(now)s - (%(acts)s - n) * interval '1 second', CASE WHEN n = 7 THEN 'rare' ELSE 'person ' || n %% 40 END,
           CASE WHEN n = 7 THEN 'weigh tenant' ELSE (ARRAY['retry', 'cancel', 'pause', 'resume'])[1 + n %% 4] END,
           'job ' || n || ' (send_ticket_email)', CASE WHEN n %% 10 < 3 THEN 1 ELSE 1 + n %% %(tenants)s END, '',
           jsonb_build_object('jobs', jsonb_build_array(n)) FROM generate_series(1, %(acts)s) n
"""
_OCCURRENCES = """
    INSERT INTO youtility_tasks_scheduledtaskexecution (tenant_id, schedule_id, tick_at, version, outcome, reason, detail, job_id, decided_at,
                                                        tick_count, by_hand)
    SELECT s.tenant_id, s.id, h.finished_at, 1, 'fired', '', '', h.job_id, h.finished_at - interval '1 second', 1, false
      FROM (SELECT s.id, s.tenant_id, row_number() OVER (ORDER BY s.id) AS k FROM youtility_tasks_scheduledtask s) s
      JOIN LATERAL generate_series(1, 40) o ON true
      JOIN LATERAL (SELECT h.job_id, h.finished_at FROM youtility_tasks_history h
                     WHERE h.job_id = 1 + (s.k * 7919 + o * 104729) %% %(attempts)s ORDER BY h.finished_at LIMIT 1) h ON true
        ON CONFLICT DO NOTHING
"""
_STEPS = """
    INSERT INTO youtility_tasks_workflowstep (tenant_id, workflow_id, name, kind, status, task_name, queue_name, released_at, ended_at, job_id)
    SELECT w.tenant_id, w.id, 'step ' || o, 'task', CASE WHEN w.status = 'running' AND o > 1 THEN 'blocked' WHEN w.status = 'running' THEN 'todo'
           ELSE 'succeeded' END, (%(tasks)s::text[])[1 + o %% 32], (%(queues)s::text[])[1 + o %% 32], w.started_at,
           CASE WHEN w.status <> 'running' THEN w.ended_at END, 1 + (w.id * 7919 + o * 31) %% %(attempts)s
      FROM youtility_tasks_taskworkflow w CROSS JOIN LATERAL generate_series(1, CASE WHEN w.name = 'crowd' THEN %(crowd)s ELSE %(steps)s END) o
"""
_EDGES = """
    INSERT INTO youtility_tasks_taskdependency (tenant_id, workflow_id, parent_id, child_id, kind)
    SELECT p.tenant_id, p.workflow_id, p.id, c.id, 'success'
      FROM youtility_tasks_workflowstep p JOIN youtility_tasks_workflowstep c ON c.tenant_id = p.tenant_id AND c.workflow_id = p.workflow_id AND c.id = p.id + 1
"""


Session = psycopg.Connection[Any]
Step = tuple[str, Callable[[Session], Any]]
_NOTES = """
    CREATE UNLOGGED TABLE IF NOT EXISTS ground_step (name text PRIMARY KEY, seconds double precision);
    CREATE UNLOGGED TABLE IF NOT EXISTS ground_index (of_table text, name text, made_by text, dropped_by text, is_key boolean)
"""
"""What of the ground is there, so that a making that was cut off is gone on with."""
_INDEXES = """
    INSERT INTO ground_index
    SELECT i.indrelid::regclass, i.indexrelid::regclass,
           CASE WHEN c.oid IS NULL THEN replace(pg_get_indexdef(i.indexrelid), ' ON ONLY ', ' ON ')
                ELSE format('ALTER TABLE %%s ADD CONSTRAINT %%I %%s', i.indrelid::regclass, c.conname, pg_get_constraintdef(c.oid)) END,
           CASE WHEN c.oid IS NULL THEN format('DROP INDEX %%s', i.indexrelid::regclass)
                ELSE format('ALTER TABLE %%s DROP CONSTRAINT %%I', i.indrelid::regclass, c.conname) END,
           c.oid IS NOT NULL
      FROM pg_index i LEFT JOIN pg_constraint c ON c.conindid = i.indexrelid AND c.conrelid = i.indrelid
     WHERE i.indrelid = ANY (%(bare)s::regclass[]) AND (c.oid IS NULL OR i.indrelid = 'youtility_tasks_history'::regclass)
    RETURNING dropped_by
"""
_BARE = ["youtility_tasks_history", "procrastinate_jobs", "youtility_tasks_taskauditlog"]
"""Filled without their indexes, which are made after: a tenth of the time."""


def fill(house: House, size: Size, say: Callable[[str], Any] = lambda _: None) -> None:
    """Put it all there, as the database's superuser and without triggers; then what is added up, counted and analysed.

    A step is one transaction, so what was cut off goes on where it was when it is called again for the same size.
    """
    from youtility_tasks import registry

    tasks = sorted(registry.registered().values(), key=lambda each: each.name)[:32]
    with psycopg.connect(house.url, autocommit=True, cursor_factory=psycopg.ClientCursor) as session:
        session.execute("SET session_replication_role = replica; SET synchronous_commit = off; SET work_mem = '256MB'")
        session.execute("SET maintenance_work_mem = '512MB'; SET client_min_messages = warning; SET timezone = 'UTC'")
        session.execute(_NOTES)
        begun = "INSERT INTO ground_step VALUES (%s, extract(epoch FROM now())) ON CONFLICT DO NOTHING"
        session.execute(begun, ["begun"])
        call: dict[str, Any] = {
            **{name: getattr(size, name) for name in ("attempts", "waiting", "tenants", "letters", "acts", "days")},
            "tasks": [each.name for each in tasks], "queues": [each.queue_name for each in tasks], "crowd": CROWD, "steps": STEPS, "bare": _BARE,
            "now": made_at(session), "shift": 0,
        }  # fmt: skip
        done = {name for (name,) in session.execute("SELECT name FROM ground_step").fetchall()}
        todo = [(name, do) for name, do in _steps(size, tasks, call) if name not in done]
        for name, do in todo:
            began = time.monotonic()
            with session.transaction():
                do(session)
                session.execute("INSERT INTO ground_step VALUES (%s, %s)", [name, time.monotonic() - began])
            say(f"{name}: {time.monotonic() - began:.1f} s")
        if todo:
            session.execute("VACUUM ANALYZE")
        _freshen(session, size, call, say)
        days = sum(1 for _ in iter(lambda: session.execute(_SUM_A_DAY).fetchone(), (None,)))
        if days:
            session.execute("VACUUM ANALYZE youtility_tasks_metricssum")
            say(f"{days} days of sums")
        session.execute("SELECT youtility_tasks_count_queues_v1()")


def _freshen(session: Session, size: Size, call: dict[str, Any], say: Callable[[str], Any]) -> None:
    """Let the work go on until now, if it was made a while ago: attempts end as before, and what waits has waited no longer."""
    until = datetime.now(UTC)
    newest = "SELECT to_timestamp(max(seconds)) FROM ground_step WHERE name = ANY (%s)"
    ((since,),) = session.execute(newest, [["begun", "fresh"]]).fetchall()
    if until - since < _STALE:
        return
    began = time.monotonic()
    each_s = size.days * 86_400 / size.attempts
    first, last = (size.attempts + int((instant - call["now"]).total_seconds() / each_s) for instant in (since, until))
    # Above the ids of what waits, and below none: those jobs came and went meanwhile.
    more = {**call, "first": first + 1, "last": last, "shift": size.waiting + 1_000_000, "since": since, "until": until}
    with session.transaction():
        for statement in (_DAYS_SINCE, _HISTORY, _WAITS_NO_LONGER, _ADD_UP_SINCE, _ADDED_UP):
            session.execute(statement, more)
        session.execute(
            "INSERT INTO ground_step VALUES ('fresh', %s) ON CONFLICT (name) DO UPDATE SET seconds = excluded.seconds",
            [until.timestamp()],
        )
    session.execute("VACUUM FULL ANALYZE procrastinate_jobs")
    session.execute(
        "ANALYZE youtility_tasks_history, youtility_tasks_metricssum, youtility_tasks_taskperformancemetrics"
    )
    say(f"{last - first} attempts of {until - since}: {time.monotonic() - began:.1f} s")


def made_at(session: Session) -> datetime:
    """The instant at which the ground is true."""
    found = session.execute("SELECT to_timestamp(seconds) FROM ground_step WHERE name = 'begun'").fetchone()
    assert found is not None
    return cast(datetime, found[0])


def _steps(size: Size, tasks: list[Any], call: dict[str, Any]) -> Iterator[Step]:
    def run(statement: str, **more: Any) -> Callable[[Session], Any]:
        return lambda session: session.execute(statement, {**call, **more})

    def strip(session: Session) -> None:
        for (drop,) in session.execute(_INDEXES, call).fetchall():
            session.execute(drop)

    def dress(table: str) -> Callable[[Session], Any]:
        def make(session: Session) -> None:
            which = "SELECT made_by FROM ground_index WHERE of_table = %s ORDER BY NOT is_key"
            for (statement,) in session.execute(which, [table]).fetchall():
                session.execute(statement)

        return make

    yield "tenants", run(_TENANTS)
    for day in range(size.days, -2, -1):
        yield (
            f"day {day}",
            run("SELECT youtility_tasks_add_history_day_v1((%(now)s - %(day)s * interval '1 day')::date)", day=day),
        )
    yield "indexes away", strip
    for first in range(1, size.attempts + 1, _BATCH):
        yield f"attempts from {first}", run(_HISTORY, first=first, last=min(first + _BATCH - 1, size.attempts))
    yield "waiting jobs", run(_WAITING)
    yield "dead letters", run(_LETTERS)
    yield "acts", run(_ACTS)
    yield (
        "numbers of jobs",
        run("SELECT setval(pg_get_serial_sequence('procrastinate_jobs', 'id'), %(attempts)s + %(waiting)s + 5000)"),
    )
    for table in _BARE:
        yield f"indexes of {table}", dress(table)
    yield "what is counted by thousands", lambda _: _by_orm(size, tasks)
    yield "analyse", run("ANALYZE youtility_tasks_history; ANALYZE procrastinate_jobs")
    yield "occurrences", run(_OCCURRENCES)
    yield "steps", run(_STEPS)
    yield "edges", run(_EDGES)
    for day in range(size.days, -1, -1):
        yield f"sums of day {day}", run(_ADD_UP, day=day)
    yield "nothing is left to add up", run(_ADDED_UP)


_ADD_UP = """
    SELECT youtility_tasks_add_attempts_v1(
               format('h.finished_at >= %%L AND h.finished_at < %%L', date_trunc('day', %(now)s) - %(day)s * interval '1 day',
                      date_trunc('day', %(now)s) - (%(day)s - 1) * interval '1 day'),
               '{"tasks": [], "queues": [], "tenants": [], "most": 0, "minute_days": 8, "hour_days": 400}', false)
"""
"""As upkeep adds up what has ended."""
_SUM_A_DAY = "SELECT youtility_tasks_sum_day_v1(now() - interval '400 days', now() - interval '30 minutes')"
"""As upkeep does, until there is none."""
_STALE = timedelta(hours=2)
_DAYS_SINCE = """
    SELECT youtility_tasks_add_history_day_v1(d::date) FROM generate_series(%(since)s::date, %(until)s::date + 1, interval '1 day') d
"""
_WAITS_NO_LONGER = """
    UPDATE procrastinate_jobs SET enqueued_at = enqueued_at + (%(until)s - %(since)s), scheduled_at = scheduled_at + (%(until)s - %(since)s),
           claimed_at = claimed_at + (%(until)s - %(since)s) WHERE status <> 'failed'
"""
_ADD_UP_SINCE = """
    SELECT youtility_tasks_add_attempts_v1(
               format('h.finished_at > %%L AND h.job_id > %%s', %(since)s - interval '1 second', %(shift)s + %(first)s - 1),
               '{"tasks": [], "queues": [], "tenants": [], "most": 0, "minute_days": 8, "hour_days": 400}', false)
"""
_ADDED_UP = """
    UPDATE youtility_tasks_metricsmark SET upto = (pg_snapshot_xmax(pg_current_snapshot())::text)::bigint, open = '{}', past_at = NULL,
           past_id = NULL, folded_at = clock_timestamp(), last_id = (SELECT max(id) FROM youtility_tasks_history)
"""


def _by_orm(size: Size, tasks: list[Any]) -> None:
    """What is counted by thousands."""
    from django.db import connection

    from youtility_tasks.models import (
        QueueControl,
        Redrive,
        ScheduledTask,
        TaskOperation,
        TaskWorker,
        TaskWorkflow,
        WorkflowTemplate,
    )  # fmt: skip

    now = datetime.now(UTC)
    connection.cursor().execute("SET session_replication_role = replica")

    def whose(n: int) -> int:
        return size.small if n % 20 == 19 else BIG if n % 10 < 3 else 1 + n % size.tenants

    ScheduledTask.objects.bulk_create(
        ScheduledTask(
            tenant_id=whose(n), name=f"schedule {n}", task_name=tasks[n % len(tasks)].name, cron="*/15 * * * *", created_at=now, changed_at=now,
            settled_to=now, next_at=now - timedelta(minutes=5) if n % 50 == 0 else now + timedelta(hours=2),
        )
        for n in range(1, size.schedules + 1)
    )  # fmt: skip
    flows = TaskWorkflow.objects.bulk_create(
        TaskWorkflow(
            tenant_id=whose(n), root_id=0, name="crowd" if n == 1 else f"flow {n % 7}", status="running" if n % 4 == 0 or n == 1 else "succeeded",
            started_at=now - timedelta(hours=n % 500), ended_at=None if n % 4 == 0 or n == 1 else now, template_name=f"template {n % 9}",
        )
        for n in range(1, size.workflows + 1)
    )  # fmt: skip
    for each in flows:
        each.root_id = each.pk
    TaskWorkflow.objects.bulk_update(flows, ["root_id"], batch_size=500)
    WorkflowTemplate.objects.bulk_create(
        WorkflowTemplate(tenant_id=n % 4, name=f"template {n % 9}", version=n, definition={"steps": [{"name": "one"}, {"name": "two", "after": {"one": "success"}}]})
        for n in range(1, 41)
    )  # fmt: skip
    QueueControl.objects.bulk_create(
        QueueControl(queue_name="email", tenant_id=n, max_running=5, is_paused=n % 9 == 0, paused_at=now)
        for n in range(1, min(60, size.tenants))
    )
    TaskWorker.objects.bulk_create(
        TaskWorker(id=9_001 + n, host=f"web-{n}", pid=800 + n, queue_name=sorted({each.queue_name for each in tasks})[n % 4], status="running", slots=8)
        for n in range(40)
    )  # fmt: skip
    TaskOperation.objects.bulk_create(
        TaskOperation(
            tenant_id=whose(n), act="retry", filter={"task_name": tasks[n % 32].name, "fingerprint": "0" * 16}, started_by="person 1", newest_id=size.attempts,
            total_count=10, ended_at=None if n > 295 else now,
        )
        for n in range(300)
    )  # fmt: skip
    Redrive.objects.bulk_create(
        Redrive(
            tenant_id=whose(n), failed_until=now, key=f"{n:064d}", started_by="person 1", total_count=10, ended_at=now
        )
        for n in range(120)
    )
    connection.close()
