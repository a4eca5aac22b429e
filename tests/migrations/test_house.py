"""The house's own migrations: there and back again, with procrastinate's tables in use."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import psycopg

from tests import warm

REPOSITORY = Path(__file__).resolve().parents[2]
OURS = """
    SELECT 'column ' || column_name FROM information_schema.columns
     WHERE table_name = 'procrastinate_jobs' AND column_name IN ('tenant_id', 'claim_number', 'unique_key', 'done_key')
    UNION SELECT 'function ' || proname FROM pg_proc WHERE proname LIKE 'youtility_tasks_%%'
    UNION SELECT 'table ' || tablename FROM pg_tables WHERE tablename LIKE 'youtility_tasks_%%'
           AND tablename NOT LIKE 'youtility_tasks_history_20%%'
    UNION SELECT 'index ' || indexname FROM pg_indexes WHERE indexname LIKE 'youtility_tasks_%%'
           AND tablename NOT LIKE 'youtility_tasks_history_20%%'
"""
DAYS = "SELECT day FROM youtility_tasks_history_days_v1()"


def manage(database: Any, *words: str) -> str:
    env = {**database.env, "DJANGO_SETTINGS_MODULE": "youtility_tasks.standalone.settings"}
    done = warm.run([sys.executable, "-m", "django", *words], cwd=REPOSITORY, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_migration_can_be_taken_back_and_done_again_under_live_jobs(fresh_database: Any) -> None:
    before = set(fresh_database.rows(OURS))
    fresh_database.rows("INSERT INTO procrastinate_jobs (queue_name, task_name, args) VALUES ('email', 't', '{}')")

    manage(fresh_database, "migrate", "youtility_tasks", "zero")

    assert fresh_database.rows(OURS) == []
    with psycopg.connect(fresh_database.url) as connection:  # procrastinate is whole without us
        fetched = connection.execute("SELECT (procrastinate_fetch_job_v2(NULL, NULL)).task_name").fetchall()
        assert fetched == [("t",)]
        connection.rollback()

    manage(fresh_database, "migrate")

    assert set(fresh_database.rows(OURS)) == before
    assert len(fresh_database.rows(DAYS)) == 8, "no job is the first of a day"
    assert fresh_database.rows("SELECT task_name, tenant_id, claim_number FROM procrastinate_jobs") == [("t", 0, 0)]


def test_an_index_of_the_history_is_of_every_day_also_when_its_making_was_cut_off(fresh_database: Any) -> None:
    fresh_database.rows("SELECT youtility_tasks_add_history_day_v1(current_date)")
    without = "SELECT relname FROM pg_class c JOIN pg_inherits ON inhrelid = oid WHERE inhparent = 'youtility_tasks_history'::regclass AND NOT EXISTS ("
    without += "SELECT FROM pg_index x JOIN pg_inherits a ON a.inhrelid = x.indexrelid WHERE x.indrelid = c.oid AND x.indisvalid AND a.inhparent = %s::regclass)"
    name = "youtility_tasks_history_failed"
    assert fresh_database.rows(without, name) == []

    fresh_database.rows(f"DROP INDEX {name}")
    fresh_database.rows(
        f"CREATE INDEX {name} ON ONLY youtility_tasks_history (task_name, finished_at) WHERE status = 'failed'"
    )
    fresh_database.rows(
        "CREATE INDEX youtility_tasks_history_default_failed ON youtility_tasks_history_default (job_id)"
    )
    assert len(fresh_database.rows(without, name)) == 2
    manage(fresh_database, "migrate", "youtility_tasks", "0045_console_indexes")  # whatever came after it
    fresh_database.rows("DELETE FROM django_migrations WHERE name = '0045_console_indexes'")
    manage(fresh_database, "migrate")
    fresh_database.rows("SELECT youtility_tasks_add_history_day_v1(current_date + 1)")

    assert fresh_database.rows(without, name) == []
    assert fresh_database.rows("SELECT indisvalid FROM pg_index WHERE indexrelid = %s::regclass", name) == [(True,)]


def test_a_job_of_the_priority_that_is_refused_from_now_on_is_raised_by_one(fresh_database: Any) -> None:
    manage(fresh_database, "migrate", "youtility_tasks", "0009_strays")
    fresh_database.rows(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, priority, scheduled_at) VALUES ('email', 't', %s, now())",
        -(2**31),
    )

    manage(fresh_database, "migrate")

    assert fresh_database.rows("SELECT priority FROM procrastinate_jobs") == [(-(2**31) + 1,)]
    assert fresh_database.rows(
        "SELECT convalidated FROM pg_constraint WHERE conname = 'youtility_tasks_jobs_priority'"
    ) == [(True,)]


def test_the_models_and_the_migrations_agree(fresh_database: Any) -> None:
    assert "No changes detected" in manage(fresh_database, "makemigrations", "--check", "--dry-run")
