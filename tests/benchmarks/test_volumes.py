"""The volume benchmarks in their short form: statements and memory, which are the same anywhere; never how fast.

And the long sweep killed in the middle: what is left is done by the next run, and nothing twice.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.benchmarks import closing_volume, planning_volume, report_volume, volume

pytestmark = pytest.mark.timeout(400)
HERE = "tests.benchmarks.closing_volume"
ALL = bool(os.environ.get("ALL_VOLUMES"))
"""Every mix and every format (`make volumes`); one of each does for a change of anything else."""


def test_an_exponent_is_the_power_of_the_size():
    assert volume.exponent([10, 40, 160], [3.0, 12.0, 48.0]) == 1.0
    assert volume.exponent([10, 40, 160], [1.0, 16.0, 256.0]) == 2.0


@pytest.mark.parametrize("mix", list(planning_volume.MIXES) if ALL else list(planning_volume.MIXES)[:1])
def test_planning_costs_statements_by_the_batch_and_no_memory(fresh_databases, mix):
    few, many = (planning_volume.measure(fresh_databases(), plans, mix) for plans in (140, 560))

    assert many["first"].said["jobs_scheduled"] == 4 * few["first"].said["jobs_scheduled"] == 560
    assert many["first"].statements < 560 / 2
    assert many["again"].statements < 60
    assert many["again"].said["jobneeds_created"] == 0
    assert many["first"].peak_mb < 1.15 * few["first"].peak_mb


@pytest.mark.parametrize("format", report_volume.FORMATS if ALL else ("xlsx",))
def test_a_report_from_the_database_is_streamed(fresh_databases, format):
    found = []
    for rows in (2_000, 20_000):
        url = fresh_databases()
        volume.measure(url, "tests.benchmarks.report_volume", "--fill", str(rows))
        found.append(volume.measure(url, "tests.benchmarks.report_volume", "--run", format))
    few, many = found

    assert (few.said["rows"], many.said["rows"]) == (2_000, 20_000)
    assert many.peak_mb < 1.15 * few.peak_mb
    assert many.peak_mb < report_volume.BOUND_MB
    assert many.statements == few.statements


def test_a_long_sweep_that_is_killed_is_ended_by_the_next_and_does_nothing_twice(fresh_databases):
    url, rows = fresh_databases(), 1_800
    with volume.mail_sink() as (port, mails):
        env = {"EMAIL_HOST": "127.0.0.1", "EMAIL_PORT": str(port)}
        volume.measure(url, HERE, "--fill", str(rows))
        with volume.start(url, HERE, "--run", env=env) as process:
            _wait_until(lambda: _one(url, "SELECT count(*) FROM youtility_tasks_taskeffect WHERE status = 'done'") > 0)
            _wait_until(lambda: len(_lines(mails)) > 5)
            process.send_signal(signal.SIGKILL)
            process.communicate()
        before = _one(url, _OPEN)
        # The lease of what the dead one had reserved is over.
        _one(url, "WITH u AS (UPDATE youtility_tasks_taskeffect SET lease_until = now() - interval '1 s' WHERE status = 'reserved'"
                  " RETURNING 1) SELECT count(*) FROM u")  # fmt: skip
        said = volume.measure(url, HERE, "--run", env=env).said
        received = _lines(mails)

    assert said["status"] == "ok"
    assert _one(url, _OPEN) == 0
    assert said["autoclosed"] + said["partially_completed"] == before
    tickets = _one(url, "SELECT count(*) FROM ticket WHERE ticketno <> '' AND id > 1")
    assert tickets == rows * 2 // 9
    assert _one(url, "SELECT count(DISTINCT ticket_id) FROM jobneed WHERE ticket_id > 1") == tickets
    assert _one(url, "SELECT count(DISTINCT ticketno) FROM ticket WHERE id > 1") == tickets
    assert _one(url, "SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'send_ticket_email'") == tickets
    effects = Counter(each["effect"] for each in received)
    assert len(effects) == rows * 3 // 9
    twice = [key for key, count in effects.items() if count > 1]
    assert len(twice) <= 1  # what had left and was not marked, and that under one Message-ID
    assert len({each["message_id"] for each in received}) == len(effects)


_OPEN = "SELECT count(*) FROM jobneed WHERE parent_id = 1 AND id > 1 AND jobstatus IN ('ASSIGNED', 'INPROGRESS')"


def test_a_short_benchmark_of_closing_leaves_nothing_open(fresh_databases):
    url = fresh_databases()
    with volume.mail_sink() as (port, _):
        runs = closing_volume.measure(url, 450, mail_port=port)

    assert sum(each.said["autoclosed"] + each.said["partially_completed"] for each in runs) == 450
    assert sum(each.said["tickets_created"] for each in runs) == 100
    assert sum(each.said["children_closed"] for each in runs) == 50 * 6 + 100 * 3
    # A mail costs statements of its own: reserve, mark, and their transaction.
    assert sum(each.statements for each in runs) < 150 * 4 + 150


def _one(url, statement):
    import psycopg

    with psycopg.connect(url, autocommit=True) as session:
        return session.execute(statement).fetchone()[0]


def _lines(file: Path):
    if not file.exists():
        return []
    return [json.loads(line) for line in file.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]


def _wait_until(holds, seconds=120):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.fixture
def fresh_databases(cluster, template):
    """Call it for the address of a new, migrated database."""
    names = []

    def make() -> str:
        names.append(cluster.copy(template))
        return cluster.url(names[-1])

    yield make
    for name in names:
        cluster.drop(name)
