"""`/metrics`: every name of the contract, counters that never fall, and an answer within a second whatever the database does."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.test import Client
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics

from tests import warm
from tests.acceptance.crew import until
from tests.integration.attempts import ended, mutant
from tests.integration.desk import execute, rows
from tests.integration.scraping import Values, forget_connection, get, some_of_everything, value, values
from tests.integration.sessions import aside
from youtility_tasks import queries, queues
from youtility_tasks.exporter import answering, source
from youtility_tasks.exporter.promises import bucket_of
from youtility_tasks.exporter.server import HOT
from youtility_tasks.exporter.serving import Server
from youtility_tasks.metrics.histogram import upper_ms
from youtility_tasks.models import ScheduledTask, Tenant
from youtility_tasks.upkeep import rollup

pytestmark = pytest.mark.usefixtures("committed", "add_task")

CONTRACT = {
    "youtility_queue_jobs": ("queue", "status"),
    "youtility_queue_oldest_seconds": ("queue",),
    "youtility_task_attempts_total": ("task", "queue", "outcome"),
    "youtility_task_wait_seconds_bucket": ("task", "queue", "le"),
    "youtility_task_run_seconds_bucket": ("task", "queue", "le"),
    "youtility_workers": ("queue", "status"),
    "youtility_worker_children": ("queue",),
    "youtility_worker_memory_bytes": ("worker",),
    "youtility_schedule_lag_seconds": ("schedule",),
    "youtility_dead_letters": ("queue",),
    "youtility_workflow_runs": ("status",),
    "youtility_rescued_total": ("reason",),
    "youtility_stale_writes_rejected_total": (),
    "youtility_up": (),
    "youtility_promises_judged_total": ("queue", "promise", "within_s"),
    "youtility_promises_broken_total": ("queue", "promise", "within_s"),
    "youtility_database_oldest_snapshot_seconds": (),
    "youtility_database_hidden_sessions": (),
    "youtility_database_notification_queue_share": (),
    "youtility_table_dead_rows": ("table",),
    "youtility_table_live_rows": ("table",),
}
"""Name -> labels, as users and dashboards rely on them."""


@pytest.fixture
def scrape() -> Iterator[Callable[..., bytes]]:
    """Over HTTP, from a server as the command runs it."""
    answering.registry.cache_clear()
    server = Server("127.0.0.1", 0)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield lambda **headers: get(f"http://127.0.0.1:{server.server_address[1]}/metrics", **headers)
    server.shutdown()
    server.server_close()
    thread.join()
    forget_connection()
    answering.registry.cache_clear()


def counters(found: Values) -> Values:
    return {key: n for key, n in found.items() if key[0].endswith(("_total", "_bucket", "_count", "_sum"))}


def test_a_scrape_has_every_name_of_the_contract_with_its_labels(scrape: Any) -> None:
    some_of_everything()

    found = values(scrape())

    for name, labels in CONTRACT.items():
        assert {tuple(sorted(key for key, _ in each)) for known, each in found if known == name} == {
            tuple(sorted(labels))
        }, name
    assert {dict(labels)["table"] for name, labels in found if name == "youtility_table_dead_rows"} == {*HOT}
    assert value(found, "up") == 1
    assert value(found, "task_attempts_total", task="add", queue="email", outcome="succeeded") == 3
    assert value(found, "task_attempts_total", task="add", queue="email", outcome="retry") == 2
    waits = {"task": "add", "queue": "email"}
    assert [
        value(found, "task_wait_seconds_bucket", **waits, le=le) for le in ("0.002", "0.004", "0.512", "1.024", "+Inf")
    ] == [0, 3, 3, 5, 5]
    assert value(found, "task_run_seconds_count", **waits) == 3
    assert value(found, "task_run_seconds_sum", **waits) == pytest.approx(4.5)
    assert value(found, "queue_jobs", queue="other", status="todo") == 1
    assert value(found, "queue_jobs", queue="reports", status="todo") == 0
    assert value(found, "dead_letters", queue="email") == 1
    assert value(found, "workers", queue="email", status="running") == 1
    assert value(found, "worker_children", queue="email") == 2
    assert value(found, "schedule_lag_seconds", schedule="nightly") > 1_000
    assert value(found, "schedule_lag_seconds", schedule="other") == 0
    assert (value(found, "rescued_total", reason="worker_silent"), value(found, "stale_writes_rejected_total")) == (
        4,
        2,
    )


def test_who_asks_for_openmetrics_gets_it(scrape: Any) -> None:
    some_of_everything()

    text = scrape(Accept="application/openmetrics-text; version=1.0.0").decode()

    assert text.endswith("# EOF\n")
    assert "youtility_task_attempts" in {family.name for family in openmetrics(text)}


def test_counters_stay_when_everything_is_cleaned_up_and_the_exporter_is_another(scrape: Any) -> None:
    some_of_everything()
    before = counters(values(scrape()))

    execute("TRUNCATE youtility_tasks_history, youtility_tasks_taskperformancemetrics, procrastinate_jobs CASCADE")
    rollup.fold()
    forget_connection()
    answering.registry.cache_clear()
    after = counters(values(scrape()))
    ended(1)
    rollup.fold()

    assert after == before
    more = counters(values(scrape()))
    assert all(more[key] >= n for key, n in before.items())
    assert value(more, "task_attempts_total", task="add", queue="email", outcome="succeeded") == 4


def promise(found: Values, name: str, within_s: str = "") -> tuple[float, float]:
    """(judged, broken) of the queue of mails."""
    labels = {"queue": "email", "promise": name, "within_s": within_s}
    return value(found, "promises_judged_total", **labels), value(found, "promises_broken_total", **labels)


def test_a_promise_is_judged_by_what_began_late_ended_late_or_failed(scrape: Any) -> None:
    ended(5, wait_ms=60_000, run_ms=540_000)  # the last moment
    ended(2, wait_ms=66_000, run_ms=600_000)  # 10 % more
    ended(3, outcome="retry", wait_ms=1, run_ms=None)
    for outcome in ("failed", "bad_input", "timed_out", "crashed", "expired"):
        ended(1, outcome=outcome, wait_ms=1, run_ms=1)
    for outcome in ("lost", "aborted", "cancelled"):
        ended(1, outcome=outcome, wait_ms=None, run_ms=None)
    ended(9, queue_name="hostile")
    rollup.fold()

    found = values(scrape())

    assert promise(found, "start", "60") == (15, 2)
    assert promise(found, "finish", "600") == (12, 2)
    assert promise(found, "success") == (12, 5)
    assert {dict(labels)["queue"] for name, labels in found if name == "youtility_promises_judged_total"} == {
        *queues.configured()
    }


def test_once_counting_takes_long_a_scrape_says_what_upkeep_has_counted(scrape: Any) -> None:
    job = "INSERT INTO procrastinate_jobs (queue_name, task_name, args) VALUES ('email', 'add', '{}'), ('else', 'add', '{}')"
    execute("TRUNCATE youtility_tasks_snapshotmark, youtility_tasks_queuesnapshot, procrastinate_jobs CASCADE")
    execute(job)
    execute("SELECT youtility_tasks_count_queues_v1()")
    execute(job)

    def due() -> tuple[float, float]:
        found = values(scrape())
        assert value(found, "queue_oldest_seconds", queue="email") > 0
        return tuple(value(found, "queue_jobs", queue=queue, status="todo") for queue in ("email", "other"))  # type: ignore[return-value]

    assert due() == (2, 2)
    execute("UPDATE youtility_tasks_snapshotmark SET took_ms = 101")
    assert due() == (1, 1)
    execute("UPDATE youtility_tasks_snapshotmark SET taken_at = now() - interval '61 seconds'")
    assert due() == (2, 2)  # nobody has counted lately
    execute("UPDATE youtility_tasks_snapshotmark SET took_ms = 501")
    assert due() == (1, 1)  # better that than to be silent


def attempt(job_id: int, number: int, *, due_ago_s: float, ended_ago_s: float, outcome: str = "succeeded") -> None:
    """One of several; it began 1 s before its end."""
    execute(
        "INSERT INTO youtility_tasks_history (job_id, task_name, queue_name, tenant_id, priority, attempt, claim_number, enqueued_at, scheduled_at,"
        " finished_at, status, outcome, is_final, wait_ms, run_ms)"
        " SELECT %s, 'add', 'email', 7, 5, %s, 1, now() - interval '2 hours', now() - %s * interval '1 second', now() - %s * interval '1 second',"
        " %s, %s, %s, 1000 * (%s - %s) - 1000, 1000",
        *(job_id, number, due_ago_s, ended_ago_s, "succeeded" if outcome == "succeeded" else "failed", outcome, outcome != "retry"),
        *(due_ago_s, ended_ago_s),
    )  # fmt: skip


def retried_jobs_are_judged(scrape: Any) -> None:
    """Late: due 700 s before its second attempt ended. In time: 500 s; and one that failed an hour ago and was given new attempts."""
    for job_id, due_ago_s in ((1, 700), (2, 500)):
        attempt(job_id, 1, due_ago_s=due_ago_s, ended_ago_s=due_ago_s - 5, outcome="retry")
        attempt(job_id, 2, due_ago_s=5, ended_ago_s=0)
    attempt(3, 1, due_ago_s=3_605, ended_ago_s=3_600, outcome="retry")
    attempt(3, 2, due_ago_s=3_590, ended_ago_s=3_580, outcome="failed")
    attempt(3, 1, due_ago_s=100, ended_ago_s=90, outcome="retry")
    attempt(3, 2, due_ago_s=5, ended_ago_s=0)
    rollup.fold()

    assert promise(values(scrape()), "finish", "600") == (4, 1)


def test_a_job_that_was_tried_again_ends_late_by_when_it_was_due_first(scrape: Any) -> None:
    retried_jobs_are_judged(scrape)


@pytest.mark.parametrize(
    ("guard", "instead"),
    [
        ("WHEN h.attempt > 1 THEN", "WHEN h.attempt > 9 THEN"),
        ("ORDER BY f.finished_at DESC))[1]", "ORDER BY f.finished_at))[1]"),
        ("f.attempt = 1 AND", "true AND"),
        ("CASE WHEN h.is_final AND h.status", "CASE WHEN h.status"),
    ],
    ids=["of the first attempt", "of this set of attempts", "of the first alone", "at the end alone"],
)
def test_without_a_guard_another_moment_is_taken(scrape: Any, guard: str, instead: str) -> None:
    with mutant(guard, instead, "youtility_tasks_add_attempts_v1"), pytest.raises(AssertionError):
        retried_jobs_are_judged(scrape)


def test_another_promise_is_another_series(scrape: Any, settings: Any) -> None:
    ended(5, wait_ms=70_000)
    rollup.fold()
    assert promise(values(scrape()), "start", "60") == (5, 5)

    settings.YOUTILITY_TASKS = {"objectives": {"email": {"start_within_s": 77.5}}}

    found = values(scrape())
    assert promise(found, "start", "77.5") == (5, 0)
    with pytest.raises(KeyError):
        promise(found, "start", "60")


@pytest.mark.parametrize("within_s", [0.001, 0.1, 1.024, 10, 60, 900, 7_200, 86_400 * 365])
def test_what_counts_as_within_is_the_promise_and_at_most_9_percent_more(within_s: float) -> None:
    assert within_s * 1_000 * 0.999_999 <= upper_ms(bucket_of(within_s)) <= within_s * 1_000 * 1.091


def test_an_old_snapshot_and_rows_that_vacuum_cannot_remove_are_seen(scrape: Any) -> None:
    with aside() as other:
        other.do(lambda: execute("BEGIN ISOLATION LEVEL REPEATABLE READ"))
        other.do(lambda: execute("SELECT count(*) FROM procrastinate_jobs"))
        execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, args) SELECT 'email', 'add', '{}' FROM generate_series(1, 50)"
        )
        execute("DELETE FROM procrastinate_jobs")
        execute("SELECT pg_stat_force_next_flush()")  # else this session may count these dead after the last VACUUM
        execute("VACUUM procrastinate_jobs")
        found = until(
            lambda: (
                (seen := values(scrape())) and value(seen, "table_dead_rows", table="procrastinate_jobs") >= 50 and seen
            )
        )
        age = value(found, "database_oldest_snapshot_seconds")
        other.do(lambda: execute("ROLLBACK"))
    execute("VACUUM procrastinate_jobs")

    assert age > 0
    assert value(found, "table_vacuum_age_seconds", table="procrastinate_jobs") < 60
    assert value(found, "database_notification_queue_share") < 0.1
    until(lambda: value(values(scrape()), "table_dead_rows", table="procrastinate_jobs") == 0)
    until(lambda: value(values(scrape()), "database_oldest_snapshot_seconds") == 0)
    assert value(values(scrape()), "database_hidden_sessions") == 0


def test_a_transaction_without_a_snapshot_holds_nothing_back(scrape: Any) -> None:
    with aside() as other:
        other.do(lambda: execute("BEGIN"))
        other.do(lambda: execute("SELECT 1"))

        open_ones = rows("SELECT xact_start IS NOT NULL FROM pg_stat_activity WHERE pid = %s", other.pid)
        found = values(scrape())
        other.do(lambda: execute("ROLLBACK"))

    assert open_ones == [(True,)]
    assert value(found, "database_oldest_snapshot_seconds") == 0


def test_names_that_anybody_may_choose_make_no_series(scrape: Any) -> None:
    execute(
        "INSERT INTO youtility_tasks_history (job_id, task_name, queue_name, tenant_id, priority, attempt, claim_number, enqueued_at,"
        " finished_at, status, outcome, is_final) SELECT n, 'hostile\"\n ' || n, 'q' || n, n, 5, 1, 1, now(), now(), 'succeeded', 'succeeded', true"
        " FROM generate_series(1, 1000) n"
    )
    execute(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, args) SELECT 'q' || n, 't' || n, '{}' FROM generate_series(1, 1000) n"
    )
    ScheduledTask.objects.bulk_create(
        ScheduledTask(tenant_id=n, name=f"s{n}", task_name="t", cron="0 2 * * *", next_at="2026-01-01T00:00:00Z")
        for n in range(1, 1001)
    )
    execute(
        "INSERT INTO youtility_tasks_taskworker (id, host, pid, queue_name, status, slots, children, memory_bytes)"
        " SELECT n, 'h', 1, 'q' || n, 'running', 1, '\"x\"', 10 FROM generate_series(1, 1000) n"
    )
    rollup.fold()

    text = scrape()

    found = values(text)
    assert len(text) < 100_000
    assert value(found, "task_attempts_total", task="other", queue="other", outcome="succeeded") == 1_000
    assert value(found, "queue_jobs", queue="other", status="todo") == 1_000
    assert value(found, "worker_memory_bytes", worker="other") == 8_000
    assert b"hostile" not in text


def test_tenants_are_a_label_behind_a_setting_and_by_number(scrape: Any, settings: Any) -> None:
    Tenant.objects.create(id=7, name="Acme & Sons")
    settings.YOUTILITY_TASKS = {"metrics_tenants": 1}
    ended(1, tenant_id=7)
    ended(2, tenant_id=8)
    rollup.fold()

    text = scrape()
    assert value(values(text), "task_attempts_total", task="add", queue="email", outcome="succeeded", tenant="7") == 1
    assert (
        value(values(text), "task_attempts_total", task="add", queue="email", outcome="succeeded", tenant="other") == 2
    )
    assert b"Acme" not in text
    settings.YOUTILITY_TASKS = {}
    assert value(values(scrape()), "task_attempts_total", task="add", queue="email", outcome="succeeded") == 3


def test_a_scrape_reads_neither_the_history_nor_minutes(scrape: Any) -> None:
    ended(3)
    rollup.fold()
    with aside() as other:
        other.do(lambda: execute("BEGIN"))
        other.do(
            lambda: execute(
                "LOCK youtility_tasks_history, youtility_tasks_taskperformancemetrics IN ACCESS EXCLUSIVE MODE"
            )
        )
        found = values(scrape())
        other.do(lambda: execute("ROLLBACK"))

    assert value(found, "task_attempts_total", task="add", queue="email", outcome="succeeded") == 3


def test_a_database_that_is_slow_is_answered_for_within_a_second_and_then_again(scrape: Any) -> None:
    scrape()
    with aside() as other:
        other.do(lambda: execute("BEGIN"))
        other.do(lambda: execute("LOCK youtility_tasks_metricstotal IN ACCESS EXCLUSIVE MODE"))
        began = time.monotonic()
        with ThreadPoolExecutor(8) as pool:
            texts = list(pool.map(lambda _: scrape(), range(8)))
        took = time.monotonic() - began
        sessions = rows(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'youtility exporter' AND datname = current_database()"
        )
        other.do(lambda: execute("ROLLBACK"))

    assert {tuple(values(each).items()) for each in texts} == {((("youtility_up", frozenset()), 0.0),)}
    assert took < 5  # one of 8 at a time would take 7
    assert sessions[0][0] <= 2  # the second while the server has yet to notice that the first was given up
    until(lambda: value(values(scrape()), "up") == 1)


class Forgotten(Future[Any]):
    """An answer that nobody waits for together: each scrape asks for itself."""

    def done(self) -> bool:
        return True


@pytest.mark.parametrize("is_shared", [True, False])
def test_a_server_that_says_nothing_holds_one_connection(
    is_shared: bool, scrape: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not is_shared:
        monkeypatch.setattr(source, "Future", Forgotten)
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        deaf.settimeout(0.2)
        address = f"host=127.0.0.1 port={deaf.getsockname()[1]} user=x dbname=x sslmode=disable"
        monkeypatch.setattr(queries, "conninfo", lambda *args, **more: address)

        with ThreadPoolExecutor(8) as pool:
            texts = list(pool.map(lambda _: scrape(), range(8)))

        heard = []
        with contextlib.suppress(TimeoutError):
            while True:
                heard.append(deaf.accept())
        for held, _ in heard:
            held.close()
    assert all(value(values(each), "up") == 0 and len(values(each)) == 1 for each in texts)
    assert (len(heard) <= 2) is is_shared  # a second for who asks when the first has been given up


def test_a_connection_that_died_unnoticed_costs_no_scrape(scrape: Any) -> None:
    scrape()
    execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'youtility exporter' AND datname = current_database()"
    )

    assert value(values(scrape()), "up") == 1


def test_with_a_token_only_who_shows_it_is_answered(scrape: Any, settings: Any) -> None:
    settings.YOUTILITY_TASKS = {"metrics_token": "0123456789abcdef"}

    for headers in (
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "0123456789abcdef"},
        {"Authorization": "Bearer \xe9"},
    ):
        with pytest.raises(urllib.error.HTTPError) as refused:
            scrape(**headers)
        assert refused.value.code == 401
        refused.value.close()
    assert value(values(scrape(Authorization="Bearer 0123456789abcdef")), "up") == 1


@pytest.mark.parametrize(
    ("given", "request_has", "status"),
    [
        ({}, {}, 404),
        ({"metrics_view": True}, {}, 200),
        ({"metrics_view": True}, {"REMOTE_ADDR": "10.0.0.7"}, 404),
        ({"metrics_view": True}, {"HTTP_X_FORWARDED_FOR": "127.0.0.1"}, 404),
        ({"metrics_view": True, "metrics_token": "0123456789abcdef"}, {}, 401),
        ({"metrics_token": "0123456789abcdef"}, {"HTTP_AUTHORIZATION": "Bearer 0123456789abcdef"}, 404),
        (
            {"metrics_view": True, "metrics_token": "0123456789abcdef"},
            {"REMOTE_ADDR": "10.0.0.7", "HTTP_AUTHORIZATION": "Bearer 0123456789abcdef"},
            200,
        ),
    ],
)
def test_the_view_is_off_until_a_setting_lets_somebody_in(
    given: Any, request_has: Any, status: int, settings: Any
) -> None:
    settings.YOUTILITY_TASKS = given
    answering.registry.cache_clear()

    answer = Client().get("/metrics", **request_has)

    assert answer.status_code == status
    assert (b"youtility_up 1.0" in answer.content) == (status == 200)
    forget_connection()
    answering.registry.cache_clear()


def test_the_command_answers_while_its_database_comes_and_goes(
    fresh_database: Any, cluster: Any, template: str
) -> None:
    name = str(psycopg.conninfo.conninfo_to_dict(fresh_database.url)["dbname"])
    command = [sys.executable, "-m", "youtility_tasks.standalone", "run_task_exporter", "--port", "0"]
    with warm.Popen(command, env=fresh_database.env, stderr=subprocess.PIPE, text=True) as exporter:
        assert exporter.stderr is not None
        try:
            url = exporter.stderr.readline().strip()
            assert value(values(get(url)), "up") == 1
            cluster.drop(name)
            began = time.monotonic()
            assert values(get(url)) == {("youtility_up", frozenset()): 0}
            assert time.monotonic() - began < 5
            cluster.run(f"CREATE DATABASE {name} TEMPLATE {template}")
            assert value(values(get(url)), "up") == 1
        finally:
            exporter.send_signal(signal.SIGTERM)
            exporter.stderr.read()
        assert exporter.wait(10) == 128 + signal.SIGTERM


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--host", "0.0.0.0"], "metrics_token"),  # noqa: S104
        (["--port", "99999"], "whole number"),
        (["--host", "203.0.113.1", "--without-token"], "--port"),
    ],
)
def test_the_command_refuses_what_it_cannot_or_should_not_do(
    words: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from django.core.management import CommandError, call_command

    with pytest.raises(CommandError, match=says):
        call_command("run_task_exporter", *words)


def test_without_its_answer_in_time_a_scrape_would_wait(scrape: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound is what makes it quick: with a longer one the slow database is waited for."""
    monkeypatch.setattr(source, "ANSWER_S", 20.0)
    scrape()
    with aside() as other:
        other.do(lambda: execute("BEGIN"))
        other.do(lambda: execute("LOCK youtility_tasks_metricstotal IN ACCESS EXCLUSIVE MODE"))
        began = time.monotonic()
        threading.Timer(1.1, lambda: other.do(lambda: execute("ROLLBACK"))).start()
        assert value(values(scrape()), "up") == 1
        assert time.monotonic() - began > 1.0
    assert connection.is_usable()
