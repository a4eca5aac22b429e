"""Many at once: a crowd that comes due together, a snapshot that holds back vacuum, writers that all wake the same queue."""

from __future__ import annotations

import json
import re
import statistics
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import IsolationLevel

from tests.faults.ground import own_server
from tests.faults.test_seams import pages_of_a_claim
from youtility_tasks.standalone import binaries
from youtility_tasks.standalone.server import Server

INSERT = "INSERT INTO procrastinate_jobs (queue_name, task_name, priority, noted, scheduled_at) SELECT 'email', 't', 5, false, {0} FROM generate_series(1, %s)"


@pytest.fixture
def connection(fresh_database: Any) -> Any:
    with psycopg.connect(fresh_database.url, autocommit=True) as made:
        yield made


def put(connection: psycopg.Connection[Any], n: int, *, at: str = "NULL::timestamptz") -> None:
    connection.execute(INSERT.format(at), [n])


def work_off(connection: psycopg.Connection[Any], n: int) -> None:
    """Claim and finish so many jobs, a hundred at a time, as a worker does."""
    worker = connection.execute("SELECT youtility_tasks_register_v1('h', 1, 1, 'email', 10)").fetchall()[0][0]
    for _ in range(n // 100):
        taken = connection.execute(
            "SELECT id, claim_number FROM youtility_tasks_claim_v2('email', %s, 100)", [worker]
        ).fetchall()
        assert len(taken) == 100
        ended = [
            {"id": job_id, "claim_number": number, "verdict": "succeeded", "outcome": "succeeded"}
            for job_id, number in taken
        ]
        connection.execute("SELECT youtility_tasks_finish_v2(%s, 'h', %s)", [worker, json.dumps(ended)])


def test_a_crowd_that_is_due_in_one_second_costs_a_claim_nothing(connection: psycopg.Connection[Any]) -> None:
    spread = "clock_timestamp() - random() * interval '1 second'"
    put(connection, 200, at=spread)
    few = pages_of_a_claim(connection)

    put(connection, 10_000, at=spread)
    among_many = pages_of_a_claim(connection)
    work_off(connection, 9_000)
    after_most = pages_of_a_claim(connection)

    assert among_many < 1.5 * few + 50
    assert after_most < 2 * few + 50


def slowest_claims(connection: psycopg.Connection[Any], *, claims: int = 60) -> float:
    """Milliseconds, 95th percentile of as many claims of ten jobs, each a transaction of its own."""
    worker = connection.execute("SELECT youtility_tasks_register_v1('h', 1, 1, 'email', 10)").fetchall()[0][0]
    took = []
    for _ in range(claims):
        began = time.perf_counter()
        taken = connection.execute("SELECT id FROM youtility_tasks_claim_v2('email', %s, 10)", [worker]).fetchall()
        took.append((time.perf_counter() - began) * 1000)
        assert len(taken) == 10
    return statistics.quantiles(took[5:], n=20)[-1]


def claims_beside_an_old_snapshot(fresh_database: Any, connection: psycopg.Connection[Any]) -> None:
    """500,000 jobs ended while somebody might still see them: nothing can remove their index entries."""
    put(connection, 2_000)
    before = slowest_claims(connection)
    with psycopg.connect(fresh_database.url) as hog:
        hog.isolation_level = IsolationLevel.REPEATABLE_READ
        hog.execute("SELECT count(*) FROM procrastinate_jobs")
        connection.execute("DELETE FROM procrastinate_jobs")
        put(connection, 500_000)
        connection.execute("DELETE FROM procrastinate_jobs")
        put(connection, 2_000)
        meanwhile = slowest_claims(connection)
    assert meanwhile < 5 * max(before, 1)


def test_a_snapshot_that_holds_back_vacuum_costs_claims_little_and_nothing_once_it_ends(
    fresh_database: Any, connection: psycopg.Connection[Any]
) -> None:
    put(connection, 200)
    before = pages_of_a_claim(connection)

    claims_beside_an_old_snapshot(fresh_database, connection)
    connection.execute("DELETE FROM procrastinate_jobs")
    connection.execute("VACUUM procrastinate_jobs")
    put(connection, 200)

    assert pages_of_a_claim(connection) < 2 * before


def test_without_its_memory_each_claim_would_walk_past_all_that_ended(
    fresh_database: Any, connection: psycopg.Connection[Any]
) -> None:
    name = "youtility_tasks_claim_v2"
    ((text,),) = connection.execute("SELECT pg_get_functiondef(oid) FROM pg_proc WHERE proname = %s", [name]).fetchall()
    assert "interval := '3 ms'" in text
    connection.execute(text.replace("interval := '3 ms'", "interval := '1 hour'"))

    with pytest.raises(AssertionError):
        claims_beside_an_old_snapshot(fresh_database, connection)


# -- writers that all wake the same queue

WRITERS = 32
ENQUEUE = """SELECT * FROM youtility_tasks_enqueue_v1(ARRAY['email'], ARRAY['t'], ARRAY[5], ARRAY[NULL]::text[],
    ARRAY[NULL]::text[], ARRAY['{}'], ARRAY[NULL]::timestamptz[], ARRAY[NULL]::text[], ARRAY[0], false);"""


@pytest.fixture(scope="module")
def durable_server() -> Iterator[Server]:
    """Its commits wait for the disk, as in production: that is what waking holds up."""
    with own_server("-c", "fsync=on") as made:
        yield made


def enqueued_a_second(server: Server, script: Path) -> float:
    programs = binaries.find()
    if not (programs.bin / "pgbench").exists():
        pytest.skip(f"no pgbench in {programs.bin}")
    words = [
        programs.bin / "pgbench",
        "--no-vacuum",
        "-c",
        str(WRITERS),
        "-j",
        "2",
        "-T",
        "1",
        "-f",
        script,
        server.url(),
    ]
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=60)
    return float(re.search(r"tps = ([0-9.]+)", done.stdout)[1])  # type: ignore[index]


def test_many_writers_that_wake_one_queue_keep_their_rate(durable_server: Server, tmp_path: Path) -> None:
    """PostgreSQL lets one transaction that notifies commit after the other, and so does not flush them together."""
    script = tmp_path / "enqueue.sql"
    script.write_text(ENQUEUE.replace("\n", " "))
    with psycopg.connect(durable_server.url(), autocommit=True) as connection:
        connection.execute('LISTEN "procrastinate_queue_v1#email"')
        ((waking,),) = connection.execute(
            "SELECT pg_get_functiondef(oid) FROM pg_proc WHERE proname = 'youtility_tasks_wake_v1'"
        ).fetchall()
        everyone, nobody = (
            re.sub(r"pg_try_advisory_xact_lock\(.*\) THEN", f"{word} THEN", waking) for word in ("true", "false")
        )
        assert len({waking, everyone, nobody}) == 3
        for _ in range(3):  # one second each beside whatever else this machine does
            rates = {}
            for name, function in (("one", waking), ("everyone", everyone), ("nobody", nobody)):
                connection.execute(function)
                rates[name] = enqueued_a_second(durable_server, script)
                connection.execute("TRUNCATE procrastinate_jobs CASCADE")
            if rates["one"] > 0.8 * rates["nobody"]:
                break

    assert rates["one"] > 0.8 * rates["nobody"], rates
    assert rates["everyone"] < 0.8 * rates["nobody"], "waking costs nothing here, so this shows nothing"
