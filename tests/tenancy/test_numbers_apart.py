"""Numbers of ended attempts: a tenant has its own, an operator everybody's, the exporter sums, and nobody writes any by himself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from psycopg import errors

from tests.tenancy.attacks.ways import refused
from tests.tenancy.ground import A, B, House
from youtility_tasks import metrics, queries
from youtility_tasks.conf import PARTS
from youtility_tasks.exporter.source import Source
from youtility_tasks.metrics import HOUR
from youtility_tasks.tenancy import roles
from youtility_tasks.tenants import tenant
from youtility_tasks.upkeep import rollup

NUMBERS = "SELECT DISTINCT tenant_id FROM youtility_tasks_taskperformancemetrics"


@pytest.fixture
def folded(house: House, django_db_setup: None) -> Iterator[House]:
    """Each tenant's attempt is in the numbers, by a worker; and each has one more that is not."""
    with house.settled():
        with queries.own_connection("a worker's upkeep", deadline_s=20):
            assert rollup.fold() == (2, True)
        for who in (A, B):
            house.rows(
                "INSERT INTO youtility_tasks_history (job_id, task_name, queue_name, tenant_id, priority, attempt, claim_number, enqueued_at,"
                " finished_at, status, outcome, is_final) VALUES (1, 't', 'email', %s, 5, 1, 1, now(), now(), 'failed', 'failed', true)",
                who,
            )
        yield house


def seen(**more: Any) -> dict[int | None, int]:
    now = metrics.database_clock()
    found = metrics.summary(since=now - HOUR, until=now + HOUR, by="tenant", **more)
    return {each.tenant_id: each.attempt_count for each in found}


def test_a_tenant_reads_its_own_numbers_and_an_operator_everybodys(folded: House) -> None:
    with roles.acting("web"):
        with tenant(A):
            assert seen() == {A: 2}
            assert seen(tenant_id=B) == {}
        assert seen() == {}
    with roles.acting("ops"):
        assert seen() == {A: 2, B: 2}
        assert seen(tenant_id=B) == {B: 2}


def test_the_database_says_so_and_not_our_words(folded: House) -> None:
    with folded.connect("web", A) as session:
        assert session.execute(NUMBERS).fetchall() == [(A,)]
        with refused(session, errors.InsufficientPrivilege):
            session.execute("SELECT last_id FROM youtility_tasks_metricsmark")
    with folded.connect("web") as session:
        assert session.execute(NUMBERS).fetchall() == []
    folded.rows("ALTER POLICY yt_own ON youtility_tasks_taskperformancemetrics USING (true)")
    with folded.connect("web", A) as session:
        assert sorted(session.execute(NUMBERS).fetchall()) == [(A,), (B,)]


def test_nobody_writes_numbers_by_himself_and_only_a_worker_folds(folded: House) -> None:
    for part in PARTS:
        with folded.connect(part, A if part in ("task", "web") else None) as session:
            for table in ("taskperformancemetrics", "metricstotal", "metricsmark"):
                with refused(session, errors.InsufficientPrivilege):
                    session.execute(f"DELETE FROM youtility_tasks_{table}")
            if part != "worker":
                with refused(session, errors.InsufficientPrivilege):
                    session.execute("SELECT youtility_tasks_fold_v1(1, 1, '{}')")


def test_the_exporter_has_sums_and_no_rows(folded: House) -> None:
    source = Source()
    with folded.connect("web"):
        found = source.read()
    source.close()

    assert found is not None
    assert [(tenant, count) for tenant, _, _, _, count, *_ in found.totals] == [("", 2)]
    assert ("queue_jobs", "email", "failed", 2.0) in found.present
    server = {(name, table): number for name, table, _, number in found.server}
    assert ("dead_rows", "procrastinate_jobs") in server and ("notification_queue_share", "") in server
    assert server["hidden_sessions", ""] >= 1  # the web's, of which it sees no more
    assert "Acme" not in json.dumps([found.totals, found.present, found.server]) and "Bolt" not in json.dumps(
        found.present
    )
    for table in (
        "procrastinate_jobs",
        "youtility_tasks_history",
        "youtility_tasks_taskperformancemetrics",
        "youtility_tasks_metricstotal",
        "youtility_tasks_tenant",
    ):
        with folded.connect("exporter") as session, refused(session, errors.InsufficientPrivilege):
            session.execute(f"SELECT FROM {table}")


def test_without_a_user_of_its_own_it_says_what_to_do(folded: House, caplog: pytest.LogCaptureFixture) -> None:
    given = {part: login for part, login in folded.settings["roles"].items() if part != "exporter"}
    with folded.settled(roles=given):
        assert Source().read() is None
    assert "roles has no 'exporter'" in caplog.text
