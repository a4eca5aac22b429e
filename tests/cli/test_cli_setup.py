"""setup_task_queue, the list of verbs, and the commands as real processes: exit status, stdout, stderr."""

from __future__ import annotations

import argparse
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import tomllib
from importlib import resources
from pathlib import Path

import pytest
from django.core.management import load_command_class
from django.db import connection

from tests import warm
from youtility_tasks.doctor import schema, steps
from youtility_tasks.management.commands import manage_task_queue

ROOT = Path(__file__).parents[2]
DOCUMENTED = {
    "stats", "workers", "tasks", "jobs", "show", "submit", "retry", "cancel", "discard", "dead-letters", "operations", "cleanup",
    "pause", "resume", "limits", "why", "doctor", "tenants", "tokens", "rekey", "schedule", "workflow", "audit", "monitor",
}  # fmt: skip


def verbs_of_the_parser():
    command = load_command_class("youtility_tasks", "manage_task_queue")
    parser = command.create_parser("manage.py", "manage_task_queue")
    (verbs,) = (each for each in parser._actions if isinstance(each, argparse._SubParsersAction))
    return verbs.choices


def test_the_verbs_are_those_that_the_help_documents():
    lines = re.findall(r"^([a-z-]+)  +\S", manage_task_queue.__doc__, re.MULTILINE)

    assert set(lines) == verbs_of_the_parser().keys() == DOCUMENTED


def test_every_verb_takes_json():
    assert all("--json" in parser.format_help() for parser in verbs_of_the_parser().values())


def test_the_tested_versions_of_procrastinate_are_those_that_we_install():
    dependencies = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    (bounds,) = (each for each in dependencies if each.startswith("procrastinate"))
    lowest, beyond = schema.TESTED_PROCRASTINATE

    assert bounds == f"procrastinate>={'.'.join(map(str, lowest))},<{beyond[0]}"
    assert schema.procrastinate_is_tested("3.10.0")
    assert schema.procrastinate_is_tested("3.11.0b1")
    assert not schema.procrastinate_is_tested("3.9.2")
    assert not schema.procrastinate_is_tested("4.0")


def test_every_function_that_our_statements_call_is_looked_for():
    statements = [each.read_text() for each in resources.files("youtility_tasks").joinpath("sql").iterdir()]
    called = {name for text in statements for name in re.findall(r"\b(youtility_tasks_\w+_v\d+)\(", text)}

    assert called <= set(schema.FUNCTIONS)


@pytest.mark.django_db
def test_every_function_and_index_that_the_migrations_made_is_looked_for():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT proname FROM pg_proc WHERE proname LIKE 'youtility\\_tasks\\_%'"
            " OR proname IN ('cleanup_old_tasks', 'get_queue_statistics')"
        )
        functions = {name for (name,) in cursor.fetchall()}
        cursor.execute(
            "SELECT indexname FROM pg_indexes WHERE tablename IN ('procrastinate_jobs', 'youtility_tasks_history',"
            " 'youtility_tasks_taskauditlog', 'youtility_tasks_operationbatch') AND indexname NOT LIKE '%\\_operation\\_id\\_%'"
            " AND indexname LIKE 'youtility\\_tasks\\_%' AND indexname NOT LIKE '%\\_pkey'"
        )
        indexes = {name for (name,) in cursor.fetchall()}

    assert {*schema.FUNCTIONS, *schema.SUPERSEDED} == functions
    assert set(schema.INDEXES) == indexes
    assert schema.missing() == []


@pytest.mark.django_db
def test_a_ready_database_is_left_alone(say):
    assert say("setup_task_queue", "--json").json["history_days_made"] > 0
    for words in ([], ["--check"]):
        said = say("setup_task_queue", "--json", *words)

        assert (said.code, said.json["history_days_made"]) == (0, 0)
        assert (said.json["ok"], said.json["applied"], said.json["pending"], said.json["missing"]) == (True, [], [], [])
    assert "Ready: nothing to do" in say("setup_task_queue").out


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("drop", "name"),
    [
        ("DROP FUNCTION youtility_tasks_rescue_v1", "function youtility_tasks_rescue_v1"),
        ("DROP INDEX youtility_tasks_history_job", "index youtility_tasks_history_job"),
        ("ALTER TABLE procrastinate_jobs DROP COLUMN crash_count CASCADE", "column procrastinate_jobs.crash_count"),
        (
            "ALTER TABLE youtility_tasks_tenant DROP CONSTRAINT yt_tenant_id_positive",
            "constraint yt_tenant_id_positive",
        ),
    ],
)
def test_what_is_missing_is_named(drop, name, say):
    with connection.cursor() as cursor:
        cursor.execute(drop)

    said = say("setup_task_queue", "--check", "--json")

    assert said.code == 1
    assert said.json["missing"] == [name]
    assert f"missing  {name}" in say("setup_task_queue", "--check").out


@pytest.mark.django_db
def test_pending_migrations_are_listed_and_not_run_by_check(say, monkeypatch):
    monkeypatch.setattr(steps, "pending", lambda: ["youtility_tasks.0099_later"])

    said = say("setup_task_queue", "--check")

    assert said.code == 1
    assert said.out == "pending  youtility_tasks.0099_later\nNot ready: run `setup_task_queue`.\n"


@pytest.mark.django_db
def test_a_database_on_which_no_worker_may_run_is_not_ready(say, settings):
    settings.YOUTILITY_TASKS = {}  # the tests' own role is a superuser

    said = say("setup_task_queue", "--check", "--json")

    assert (said.code, said.json["safety"]["ok"]) == (1, False)
    assert "is SUPERUSER; right is" in said.json["safety"]["found"]
    assert "Not ready: The " in say("setup_task_queue", "--check").out


# -- as real processes


def call(env, *words):
    """A command as a shell runs it, with the bundled settings and without the bundled database."""
    return warm.run(
        [sys.executable, "-m", "django", *map(str, words)],
        env={**env, "DJANGO_SETTINGS_MODULE": "youtility_tasks.standalone.settings", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.fixture
def empty_database(cluster):
    name = f"yt_empty_{secrets.token_hex(4)}"
    cluster.run(f"CREATE DATABASE {name}")
    yield {**os.environ, "DATABASE_URL": cluster.url(name)}
    cluster.drop(name)


def test_an_empty_database_is_refused_by_the_worker_then_made_ready_once(empty_database):
    refused = call(empty_database, "run_postgresql_worker", "--queues", "email")
    listed = call(empty_database, "setup_task_queue", "--check", "--json")
    stats = call(empty_database, "manage_task_queue", "stats", "--json")
    first = call(empty_database, "setup_task_queue", "--json")
    second = call(empty_database, "setup_task_queue")

    assert refused.returncode == 1
    assert "The database is not ready" in refused.stderr
    assert "Run `setup_task_queue` first." in refused.stderr
    assert listed.returncode == 1
    assert "youtility_tasks.0001_initial" in json.loads(listed.stdout)["pending"]
    assert stats.returncode == 1
    assert "setup_task_queue --check" in json.loads(stats.stdout)["error"]["message"]
    assert first.returncode == 0
    assert json.loads(first.stdout)["applied"] == json.loads(listed.stdout)["pending"]
    assert (second.returncode, second.stdout.splitlines()[0][:22]) == (0, "Ready: nothing to do; ")


def test_json_is_one_document_on_stdout_and_exit_statuses_are_0_1_2(fresh_database):
    fine = call(fresh_database.env, "manage_task_queue", "stats", "--json")
    not_found = call(fresh_database.env, "manage_task_queue", "show", 1, "--json")
    usage = call(fresh_database.env, "manage_task_queue", "frobnicate", "email")

    assert [each.returncode for each in (fine, not_found, usage)] == [0, 1, 2]
    assert [each["queue"] for each in json.loads(fine.stdout)["queues"]] == sorted(
        ["email", "high_priority", "maintenance", "reports"]
    )
    assert json.loads(not_found.stdout)["error"]["type"] == "JobNotFound"
    assert usage.stdout == ""
    assert "invalid choice: 'frobnicate'" in usage.stderr


def test_a_database_that_does_not_answer_is_a_finding_and_no_traceback():
    env = {**os.environ, "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing"}

    doctor, stats = (call(env, "manage_task_queue", verb, "--json") for verb in ("doctor", "stats"))
    setup, day = call(env, "setup_task_queue"), call(env, "play_company_day", "--json")

    assert doctor.returncode == stats.returncode == 1
    found = {each["name"]: each for each in json.loads(doctor.stdout)["checks"]}
    assert found["database"]["found"].startswith("not reachable:")
    assert "clocks" not in found
    assert "The database does not answer" in json.loads(stats.stdout)["error"]["message"]
    assert re.fullmatch(r"Not ready: .*Connection refused\. Start the database, or correct DATABASES\.\n", setup.stdout)
    assert json.loads(day.stdout)["error"]["type"] == "DatabaseAbsent"
    assert setup.returncode == day.returncode == 1
    assert "Traceback" not in doctor.stderr + stats.stderr + setup.stderr + day.stderr


def test_a_worker_that_has_not_reached_its_database_still_stops_when_told():
    env = {**os.environ, "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing", "PYTHONPATH": str(ROOT)}
    env["DJANGO_SETTINGS_MODULE"] = "youtility_tasks.standalone.settings"
    worker = warm.Popen(
        [sys.executable, "-m", "django", "run_postgresql_worker", "--queues", "email"],
        env=env,
        stderr=subprocess.PIPE,
        text=True,
    )
    with worker:
        try:
            assert any("queue out of reach" in line for line in worker.stderr)

            worker.send_signal(signal.SIGTERM)

            assert worker.wait(timeout=30) == 0
        finally:
            worker.kill()


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--processes", "0"], "argument --processes: '0' is not a whole number from 1 to 256"),
        (["--threads", "many"], "argument --threads: 'many' is not a whole number from 1 to 256"),
        (["--processes", "99999999999"], "is not a whole number from 1 to 256"),
        (
            ["--queues", "emial"],
            "No queue is called 'emial'; known: email, high_priority, maintenance, reports. Did you mean 'email'?",
        ),
        (["--queues"], "argument --queues: expected at least one argument"),
    ],
)
def test_the_worker_ends_with_2_when_it_is_called_wrongly(words, text, say, db):
    said = say("run_postgresql_worker", *words)

    assert (said.code, said.out) == (2, "")
    assert text in said.err
