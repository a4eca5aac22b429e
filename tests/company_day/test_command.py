"""What `play_company_day` refuses, and how it says so."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from datetime import UTC, date, datetime, timedelta

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.utils import timezone

from task_catalog.company_day import play as play_module
from task_catalog.company_day.admission import _live_workers, only_day, refuse_foreign_workers
from task_catalog.company_day.errors import DatabaseLost, DayInProgress, ForeignWorkers
from task_catalog.company_day.reconcile import Check
from task_catalog.facility.clients import create_client
from task_catalog.facility.sentinels import ensure_sentinels
from task_catalog.management.commands import play_company_day as command
from tests import warm
from youtility_tasks.models import TaskWorker, Tenant


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--scale", "0"], "right is a whole number from 1 to"),
        (["--scale", "two"], "'two' is no scale"),
        (["--date", "2025-02-30"], "right is year-month-day"),
        (["--date", "1999-12-31"], "cannot be played"),
        (["--seed", "x"], "'x' is no seed; right is a whole number from 0"),
        (["--picture", "/nowhere/day.svg"], "right is one in a folder that exists"),
        (["--loud"], "unrecognized arguments"),
    ],
)
def test_bad_usage_is_told_with_what_would_be_right(arguments, told):
    with pytest.raises(CommandError, match=told):
        call_command("play_company_day", *arguments)


def test_bad_usage_exits_with_2(play):
    playing = play("--scale", "0")

    assert playing.finish() == 2
    assert "'0' is no scale; right is a whole number from 1 to" in playing.errors


@pytest.mark.django_db
def test_a_database_of_other_companies_is_refused_and_untouched(capsys):
    ensure_sentinels()
    acme = create_client("Acme", "ACME", at=datetime(2025, 1, 1, tzinfo=UTC))

    with pytest.raises(SystemExit) as left:
        call_command("play_company_day", "--json")

    document = json.loads(capsys.readouterr().out)
    assert left.value.code == 1
    assert (document["ok"], document["checks"]) == (False, [])
    assert f"'Acme' ({acme.pk})" in document["error"]["message"]
    assert list(Tenant.objects.values_list("pk", flat=True)) == [acme.pk]


@pytest.mark.django_db
def test_a_tenant_without_a_client_is_somebodys_too(capsys):
    Tenant.objects.create(id=7, name="Acme")

    with pytest.raises(SystemExit):
        call_command("play_company_day")

    assert (
        "OtherCompanies: This database holds clients that the day did not make: 'Acme' (7)" in capsys.readouterr().err
    )


def test_live_workers_of_somebody_else_are_refused(play, fresh_database):
    workers = warm.Popen(
        [sys.executable, "-m", "youtility_tasks.standalone", "run_postgresql_worker", "--queues", "email"],
        env=fresh_database.env,
        stderr=subprocess.DEVNULL,
    )
    try:
        limit = time.monotonic() + 30
        while not fresh_database.rows("SELECT 1 FROM youtility_tasks_taskworker WHERE status = 'running'"):
            assert time.monotonic() < limit, "no worker within 30 s"
            time.sleep(0.05)

        playing = play("--json")

        assert playing.finish() == 1
        assert "ForeignWorkers: Workers serve this database that the day did not start: email on" in playing.errors
        assert playing.document()["checks"] == []
    finally:
        workers.terminate()
        workers.wait(60)


def test_a_day_that_loses_its_database_says_so(play, fresh_database):
    playing = play("--json")
    playing.wait_for_jobs(20)

    fresh_database.rows(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )

    assert playing.finish() == 1
    assert playing.document()["error"]["type"] == "DatabaseLost"
    assert "The day can be played again" in playing.errors
    assert "Traceback" not in playing.errors


@pytest.mark.django_db(transaction=True)
def test_a_connection_lost_inside_a_transaction_is_a_lost_database_too(monkeypatch):
    def lose(*args, **kwargs):
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    monkeypatch.setattr(play_module, "remove_company", lose)

    with pytest.raises(DatabaseLost, match="The day can be played again"):
        play_module.play_day(date(2025, 3, 3))


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_has_fallen_silent_is_waited_for_and_no_obstacle(settings):
    settings.YOUTILITY_TASKS = {"lease_s": 0.4, "heartbeat_interval_s": 0.1}
    TaskWorker.objects.create(id=1, host="elsewhere", pid=4711, queue_name="email", status="running")

    refuse_foreign_workers()

    assert _live_workers() == []


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_is_still_heard_of_is_an_obstacle(settings):
    settings.YOUTILITY_TASKS = {"lease_s": 0.4, "heartbeat_interval_s": 0.1}
    later = timezone.now() + timedelta(minutes=1)
    TaskWorker.objects.create(
        id=1, host="elsewhere", pid=4711, queue_name="email", status="running", heartbeat_at=later
    )

    with pytest.raises(ForeignWorkers, match=r"email on elsewhere \(process 4711\)"):
        refuse_foreign_workers()


@pytest.mark.django_db
def test_a_worker_of_this_host_without_its_process_is_no_obstacle():
    nobody = 2**22 + 1
    TaskWorker.objects.create(id=1, host=socket.gethostname(), pid=nobody, queue_name="email", status="running")

    refuse_foreign_workers()

    assert _live_workers() == []


@pytest.mark.django_db
def test_only_one_day_is_played_at_a_time(cluster):
    with psycopg.connect(cluster.url(connection.settings_dict["NAME"])) as other:
        other.execute("SELECT pg_advisory_lock(hashtext('task_catalog.company_day'))")

        with pytest.raises(DayInProgress), only_day():
            pytest.fail("two days at once")


@pytest.mark.django_db
@pytest.mark.parametrize(("got", "code"), [(5, None), (4, 1), (None, 1)])
def test_any_difference_exits_with_1(monkeypatch, capsys, got, code):
    checks = [Check("tickets", 5, got), Check("rows", {"jobneed": 2}, {"jobneed": 2})]
    monkeypatch.setattr(command, "play_day", lambda *args, **kwargs: checks)

    left = None
    try:
        call_command("play_company_day")
    except SystemExit as error:
        left = error.code

    assert left == code
    told = capsys.readouterr().out
    assert ("all 2 totals agree" if code is None else "1 of 2 totals differ") in told


@pytest.mark.django_db
def test_json_is_the_only_thing_on_standard_output(monkeypatch, capsys):
    monkeypatch.setattr(command, "play_day", lambda *args, **kwargs: [Check("tickets", 5, 5)])

    call_command("play_company_day", "--json")

    assert json.loads(capsys.readouterr().out) == {
        "ok": True,
        "checks": [{"name": "tickets", "expected": 5, "got": 5, "ok": True}],
    }
