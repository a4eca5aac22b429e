"""On what is told without a row being shown: ids, keys, notifications, statistics."""

from __future__ import annotations

import psycopg
from psycopg import errors

from tests.tenancy.ground import A, B, House
from youtility_tasks import queries


def asks_by_trying_which_ids_there_are(house: House, part: str) -> None:
    """What is said of an id that another's job has must be what is said of one that nobody has."""
    (of_b,) = house.rows("SELECT min(id) FROM procrastinate_jobs WHERE tenant_id = 8")[0]
    (free,) = house.rows("SELECT nextval('procrastinate_jobs_id_seq')")[0]
    with house.connect(part, A) as session:
        answers = set()
        for job_id in (of_b, free):
            try:
                with session.transaction(force_rollback=True):
                    statement = "INSERT INTO procrastinate_jobs (id, queue_name, task_name, tenant_id, noted) VALUES (%s, 'email', 't', 7, false)"
                    answers.add(session.execute(statement, [job_id]).statusmessage)
            except psycopg.Error as error:
                answers.add(error.sqlstate)
    assert len(answers) == 1, answers


def learns_of_keys(house: House, part: str) -> None:
    """B has this effect key and this unique key too: neither may be in A's way, or tell him so."""
    with house.connect(part, A) as session:
        session.execute("DELETE FROM youtility_tasks_taskeffect")
        try:
            session.execute(
                "INSERT INTO youtility_tasks_taskeffect (tenant_id, key, status, task_name, note) VALUES (7, 'same key', 'pending', '', '')"
            )
        except errors.UniqueViolation as told:
            raise AssertionError("the key of another is in the way") from told
        (written,) = session.execute(
            "SELECT is_written FROM youtility_tasks_enqueue_one_v1('email', 't', 5, NULL, NULL, '{}', NULL, 'kfailed', 7, false)"
        ).fetchall()
        assert written == (True,)


def listens(house: House, part: str) -> None:
    """Everybody hears every channel: nothing that is said there tells one job from another."""
    (job_id,) = house.rows(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, status, tenant_id, noted) VALUES ('email', 't', 'doing', 8, false) RETURNING id"
    )[0]
    try:
        with house.connect(part) as session:
            session.execute('LISTEN procrastinate_any_queue_v1; LISTEN "procrastinate_queue_v1#email"')
            with house.connect("task", B) as other:
                other.execute(
                    "SELECT youtility_tasks_enqueue_one_v1('email', 't', 5, NULL, NULL, '{}', NULL, 'heard', 8, false)"
                )
                other.execute("SELECT youtility_tasks_abort_v1(%s, 8)", [[job_id]])
                other.execute(queries.statement("notify_controls"), {"queue_name": "email"})
                other.commit()
            heard = {each.payload for each in session.notifies(timeout=5, stop_after=3)}
            heard |= {each.payload for each in session.notifies(timeout=0.2)}
    finally:
        house.rows("DELETE FROM procrastinate_jobs WHERE id = %s OR unique_key = 'heard'", job_id)
    said = {f'{{"type": "{kind}", "job_id": 0}}' for kind in ("job_inserted", "abort_job_requested")}
    assert heard == said | {'{"type": "controls_changed"}'}, heard


def reads_the_statistics(house: House, part: str) -> None:
    """What the planner keeps of everybody's values, in each view that shows any of it, once it has looked at all tables."""
    house.rows("ANALYZE")
    views = (
        "pg_stats",
        "pg_stats_ext",
        "pg_stats_ext_exprs",
        "pg_stat_activity",
        "pg_prepared_statements",
        "pg_cursors",
    )
    views += (
        "pg_stat_user_functions",
        "pg_notification_queue_usage()",
        "pg_stat_progress_analyze",
        "pg_publication_tables",
    )
    with house.connect("web", B) as other, house.connect(part, A) as session:
        other.execute("PREPARE of_b AS SELECT 'of Bolt'")
        other.execute("DECLARE of_b CURSOR FOR SELECT 'of Bolt'")
        other.execute("SELECT 1")
        for view in views:
            said = str(session.execute(f"SELECT v::text FROM {view} v").fetchall())
            assert "Bolt" not in said, f"{view} shows values of B"
        for way in (
            "SELECT * FROM pg_statistic",
            "SELECT * FROM pg_statistic_ext_data",
            "SELECT * FROM pg_stat_statements",
            "SELECT query_to_xml('SELECT * FROM procrastinate_jobs', true, false, '')",
            "SELECT table_to_xml('youtility_tasks_tenant', true, false, '')",
            "SELECT * FROM ts_stat('SELECT to_tsvector(args::text) FROM procrastinate_jobs')",
            "SELECT json_agg(j) FROM procrastinate_jobs j",
            "EXPLAIN (ANALYZE, VERBOSE) SELECT * FROM procrastinate_jobs WHERE args::text LIKE '%Bolt%'",
        ):
            try:
                with session.transaction(force_rollback=True):
                    said = str(session.execute(way).fetchall())
            except psycopg.Error as error:
                said = str(error)
            assert "of Bolt" not in said and "Bolt</" not in said, way
