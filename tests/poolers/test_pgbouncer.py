"""What works through pgbouncer: the matrix of the README, line by line."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from tests import warm
from tests.acceptance.crew import REPOSITORY, Crew, until
from tests.poolers.bouncer import Pgbouncer, a_bouncer, bouncer
from youtility_tasks import prepared, queries
from youtility_tasks.doctor import safety
from youtility_tasks.exporter.source import Source

SLOW_POLL_S = 30.0
"""Longer than any wait of a test: who starts a job earlier was woken."""


def submit(url: str, env: dict[str, str], a: int) -> int:
    """Enqueue as an application does, through Django; the job's id."""
    done = warm.run(
        [sys.executable, "-m", "django", "manage_task_queue", "submit", "adds", "--json-args", f'{{"a": {a}, "b": 1}}', "--json"],
        cwd=REPOSITORY,
        env={**env, "DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "tests.acceptance.settings"},
        capture_output=True,
        text=True,
        timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return int(json.loads(done.stdout)["job"]["id"])


def test_session_mode_serves_a_worker_and_wakes_it(crew: Crew) -> None:
    with bouncer(crew.queue.url, "session") as pooled:
        crew.env["DATABASE_URL"] = pooled
        supervisor = crew.start(poll_interval_s=SLOW_POLL_S)
        until(lambda: listens(crew), why="it listens")

        ended = [crew.queue.ending(submit(pooled, crew.env, a)) for a in (1, 2)]

        assert [each["result"] for each in ended] == [2, 3]
        assert not supervisor.said("connection lost")


def test_transaction_mode_serves_the_application_while_the_worker_goes_around_it(crew: Crew) -> None:
    with bouncer(crew.queue.url, "transaction", default_pool_size=3) as pooled:
        crew.env["DATABASE_URL"] = pooled
        supervisor = crew.start(poll_interval_s=SLOW_POLL_S, direct_database=crew.queue.url, upkeep_interval_s=0.3)
        until(lambda: listens(crew), why="it listens")

        ended = [crew.queue.ending(submit(pooled, crew.env, a)) for a in (1, 2)]
        for job in [crew.queue.put("reads") for _ in range(30)]:  # more than make psycopg prepare a statement
            assert crew.queue.ending(job)["status"] == "succeeded"

        assert [each["result"] for each in ended] == [2, 3]
        assert own_connections(crew) == 1
        until(
            lambda: crew.queue.rows(
                "SELECT 1 FROM youtility_tasks_upkeepduty WHERE error = '' AND ended_at IS NOT NULL"
            )
        )
        assert not supervisor.said("connection lost")
        assert not supervisor.said("out of reach")


def listens(crew: Crew) -> bool:
    return bool(
        crew.queue.rows("SELECT 1 FROM procrastinate_workers")  # who registers has begun to listen before
    )


def own_connections(crew: Crew) -> int:
    ((count,),) = crew.queue.rows(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'youtility worker%%' AND datname = current_database()"
    )
    return int(count)


def test_exporters_may_share_the_sessions_of_a_pooler(fresh_database: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    connect = psycopg.connect
    with bouncer(fresh_database.url, "transaction", default_pool_size=1) as pooled:
        monkeypatch.setattr(queries, "conninfo", lambda *given, **more: pooled)

        def scraped() -> list[bool]:
            """By two in turn, more often than makes psycopg prepare a statement."""
            exporters = [Source(), Source()]
            found = [exporter.read() is not None for _ in range(8) for exporter in exporters]
            for exporter in exporters:
                exporter.close()
            return found

        assert all(scraped())
        monkeypatch.setattr(
            "youtility_tasks.exporter.source.psycopg.connect",
            lambda to, **ways: connect(to, **{**ways, "prepare_threshold": 1}),
        )
        assert not all(scraped())


def test_an_application_prepares_nothing_in_a_session_that_it_shares(
    fresh_database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def prepares(url: str) -> bool:
        with psycopg.connect(url, autocommit=True, prepare_threshold=None) as session:
            for _ in range(10):
                (answer,) = prepared.ask(session, "enqueue_job", b"SELECT 7", [])
                assert answer.get_value(0, 0) == b"7"
            return session.execute("SELECT count(*) FROM pg_prepared_statements").fetchone() != (0,)

    assert prepares(fresh_database.url)
    with bouncer(fresh_database.url, "transaction", default_pool_size=1) as pooled:
        assert not prepares(pooled)
        monkeypatch.setattr(prepared, "_is_of", lambda *_: True)
        assert prepares(pooled)


def test_transaction_mode_without_a_way_around_is_refused_and_nothing_is_started_again(crew: Crew) -> None:
    with bouncer(crew.queue.url, "transaction") as pooled:
        crew.env["DATABASE_URL"] = pooled
        supervisor = crew.start(ready=False)

        assert supervisor.wait() == 1
        assert supervisor.said("go through a pooler in transaction mode")
        assert supervisor.said("YOUTILITY_TASKS['direct_database']")
        assert not supervisor.said("worker died")
        assert crew.queue.workers() == []


def test_setup_goes_around_the_pooler_too_or_is_refused_before_it_changes_anything(crew: Crew) -> None:
    def setup(**settings: Any) -> subprocess.CompletedProcess[str]:
        env = {**crew.env, "DJANGO_SETTINGS_MODULE": "tests.acceptance.settings", "TEST_SETTINGS": json.dumps(settings)}
        words = [sys.executable, "-m", "django", "setup_task_queue", "--json"]
        return warm.run(words, cwd=REPOSITORY, env=env, capture_output=True, text=True, timeout=60)

    with bouncer(crew.queue.url, "transaction") as pooled:
        crew.env["DATABASE_URL"] = pooled

        refused = setup()
        assert (refused.returncode, json.loads(refused.stdout)["error"]["type"]) == (1, "TransactionPooler")
        assert crew.queue.rows("SELECT 1 FROM youtility_tasks_history_days_v1()") == []

        done = setup(direct_database=crew.queue.url)
        assert done.returncode == 0, done.stdout + done.stderr
        assert json.loads(done.stdout)["history_days_made"] == 8
        assert crew.queue.rows("SELECT 1 FROM pg_locks WHERE locktype = 'advisory'") == []


@pytest.mark.parametrize(
    ("mode", "options", "proof"),
    [
        ("transaction", {}, "two connections met"),
        ("transaction", {"default_pool_size": 1}, "two connections met"),
        ("transaction", {"server_round_robin": 1, "min_pool_size": 3}, "met session|two connections met"),
        ("statement", {}, "two connections met"),
        ("session", {}, None),
        ("session", {"default_pool_size": 1}, "no second session within"),
    ],
    ids=str,
)
def test_a_pooler_is_known_for_what_it_is(
    fresh_database: Any,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
    mode: str,
    options: dict[str, int],
    proof: str | None,
) -> None:
    monkeypatch.setattr(safety, "SECOND_SESSION_S", 2.0)
    with bouncer(fresh_database.url, mode, **options) as pooled:
        settings.YOUTILITY_TASKS = {"direct_database": pooled}

        _, seen = safety._workers_way()

        assert (seen is None) if proof is None else re.search(proof, seen or "")


def test_a_direct_connection_is_asked_no_second_question(
    fresh_database: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(safety, "_shares_sessions")
    settings.YOUTILITY_TASKS = {"direct_database": fresh_database.url}

    assert safety._workers_way()[1] is None


def stopped_for_a_while(pooler: Pgbouncer, ran: Callable[[], int]) -> None:
    pooler.stop()
    time.sleep(1)  # how long it is away, not a wait for something
    pooler.start()


def paused_for_a_while(pooler: Pgbouncer, ran: Callable[[], int]) -> None:
    """Longer than a statement's deadline; what runs is let through first."""
    pooler.say("PAUSE")
    before = ran()
    time.sleep(1.5)
    assert ran() <= before + 2, "a task's statement waits meanwhile"
    pooler.say("RESUME")


@pytest.mark.parametrize(
    ("mode", "disturb"),
    [("session", stopped_for_a_while), ("transaction", stopped_for_a_while), ("transaction", paused_for_a_while)],
    ids=["session, restart", "transaction, restart", "transaction, pause"],
)
def test_a_pooler_that_goes_away_under_load_costs_nothing_but_time(
    crew: Crew, mode: str, disturb: Callable[[Pgbouncer, Callable[[], int]], None]
) -> None:
    with a_bouncer(crew.queue.url, mode) as pooler:
        way_around = {} if mode == "session" else {"direct_database": crew.queue.url}
        crew.env["DATABASE_URL"] = pooler.url
        supervisor = crew.start(threads=2, statement_deadline_s=0.7, lease_s=4.0, retry_delay_factor=0.3, **way_around)
        jobs = [crew.queue.put("reads_slowly", n=n) for n in range(100)]
        until(lambda: len(crew.diary("ran")) > 5, why="some have run")

        disturb(pooler, lambda: len(crew.diary("ran")))

        jobs += [crew.queue.put("reads_slowly", n=n) for n in range(100, 110)]
        began = time.monotonic()
        until(lambda: crew.queue.attempts(jobs[-1]) == ["succeeded"], within_s=5 + 3, why="it works again")
        for job_id in jobs:
            assert crew.queue.ending(job_id)["status"] == "succeeded"
        assert time.monotonic() - began < 10
        assert supervisor.process.poll() is None
