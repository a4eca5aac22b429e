"""`youtility-tasks X` as a user types it: real processes, in an empty folder, outside the checkout."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import warm

ROOT = Path(__file__).resolve().parents[2]
Run = Callable[..., subprocess.CompletedProcess[str]]


def environment(tmp_path: Path, **more: str) -> dict[str, str]:
    inherited = {
        key: value for key, value in os.environ.items() if key not in {"DATABASE_URL", "DJANGO_SETTINGS_MODULE"}
    }
    return {**inherited, "PYTHONPATH": str(ROOT), "YOUTILITY_HOME": str(tmp_path / "state"), **more}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """`run("migrate", DATABASE_URL=...)`: the finished process."""

    def run_one(*words: str, **more: str) -> subprocess.CompletedProcess[str]:
        return warm.run(
            [sys.executable, "-m", "youtility_tasks.standalone", *words],
            cwd=tmp_path,
            env=environment(tmp_path, **more),
            capture_output=True,
            text=True,
            timeout=90,
        )

    return run_one


@pytest.fixture
def empty_database(cluster) -> Iterator[str]:
    """The address of a database without a single table."""
    name = cluster.copy("template0")
    yield cluster.url(name)
    cluster.drop(name)


def test_help_needs_no_database(run, tmp_path):
    ran = run("help")

    assert ran.returncode == 0, ran.stderr
    assert {"run_postgresql_worker", "up", "play_company_day"} <= set(ran.stdout.split())
    assert not (tmp_path / "state" / "data").exists(), "reading help starts no server"


def test_help_of_a_command_needs_no_database(run, tmp_path):
    ran = run("migrate", "-h")

    assert ran.returncode == 0, ran.stderr
    assert not (tmp_path / "state" / "data").exists()


def test_a_database_without_tables_says_what_to_do(run, empty_database):
    ran = run("run_postgresql_worker", "--drain", DATABASE_URL=empty_database)

    assert ran.returncode == 1
    assert re.fullmatch(
        r"This database lacks the migration \S+ and \d+ more\. Run `youtility-tasks setup_task_queue` first\.\n",
        ran.stderr,
    )


def test_a_refusal_under_json_is_one_document(run, empty_database):
    not_set_up = run("manage_task_queue", "stats", "--json", DATABASE_URL=empty_database)
    not_there = run("manage_task_queue", "stats", "--json", DATABASE_URL="postgresql://x@127.0.0.1:1/x")

    for ran, kind in ((not_set_up, "NotSetUp"), (not_there, "DatabaseUnreachable")):
        assert ran.returncode == 1
        assert json.loads(ran.stdout) == {"ok": False, "error": {"type": kind, "message": ran.stderr.strip()}}


def test_an_older_database_says_what_it_lacks(run, fresh_database):
    fresh_database.rows("DELETE FROM django_migrations WHERE app = 'facility' AND name LIKE '0001%%'")

    ran = run("run_postgresql_worker", "--drain", DATABASE_URL=fresh_database.url)

    assert ran.returncode == 1
    assert "lacks the migration facility.0001" in ran.stderr


@pytest.mark.parametrize(
    ("words", "suggestion"),
    [
        (["play_company_dya"], " Did you mean 'play_company_day'?"),
        (["help", "migrat"], " Did you mean 'migrate'?"),
        (["nonsense", "--json"], ""),
        (["--nonsense"], ""),
        ([""], ""),
    ],
)
def test_a_command_that_does_not_exist_is_bad_usage_and_starts_no_database(run, tmp_path, words, suggestion):
    ran = run(*words)

    assert ran.returncode == 2
    word = words[-1] if words[0] == "help" else words[0]
    said, commands, _ = ran.stderr.splitlines()
    assert said == f"No command is called {word!r}.{suggestion}"
    assert {"run_postgresql_worker,", "up,", "manage_task_queue,", "play_company_day,"} <= set(commands.split())
    assert not (tmp_path / "state" / "data").exists()
    if "--json" in words:
        assert json.loads(ran.stdout)["error"]["type"] == "UnknownCommand"


@pytest.mark.parametrize(
    "words", [["migrate", "--nonsense"], ["manage_task_queue", "nonsense"], ["manage_task_queue"]], ids=" ".join
)
def test_words_that_a_command_does_not_know_are_bad_usage(run, fresh_database, words):
    ran = run(*words, DATABASE_URL=fresh_database.url)

    assert ran.returncode == 2
    assert ran.stderr.startswith("usage: youtility-tasks ")
    assert "Traceback" not in ran.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run_postgresql_worker", "--processes", "0"], "'0' is not a whole number from 1 to 256"),
        (["run_postgresql_worker", "--queues", "emial"], "No queue is called 'emial'; known: email, "),
        (["manage_task_queue", "flower"], "invalid choice: 'flower'"),
        (["manage_task_queue", "show"], "the following arguments are required"),
        (["up", "--port", "http"], "'http' is not a port"),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("database", ["without tables", "out of reach"])
def test_bad_usage_is_told_before_anything_is_said_of_the_database(run, empty_database, database, words, said):
    address = empty_database if database == "without tables" else "postgresql://x@127.0.0.1:1/x"

    ran = run(*words, DATABASE_URL=address)

    assert ran.returncode == 2
    assert ran.stderr.startswith(f"usage: youtility-tasks {words[0]} ")
    assert said in ran.stderr
    assert "Traceback" not in ran.stderr


def test_an_app_that_does_not_exist_is_bad_usage_of_check(run):
    ran = run("check", "extra")

    assert ran.returncode == 2
    assert re.fullmatch(r"No app is called 'extra'; known: \S.*\byoutility_tasks\b.*\. .*\n", ran.stderr)
    assert run("check", "youtility_tasks").returncode == 0


def test_a_migrated_database_runs_commands(run, empty_database):
    assert run("migrate", "--verbosity=0", DATABASE_URL=empty_database).returncode == 0

    ran = run("run_postgresql_worker", "--drain", "--queues", "email", DATABASE_URL=empty_database)

    assert ran.returncode == 0, ran.stderr


def test_a_failed_attempt_is_one_line_of_the_log(run, fresh_database):
    here = {"DATABASE_URL": fresh_database.url}
    assert (
        run("manage_task_queue", "submit", "auto_close_jobs", "--json-args", '{"jobneedid": 5}', **here).returncode == 0
    )

    ran = run("run_postgresql_worker", "--drain", "--queues", "high_priority", **here)

    of_the_worker = (" worker started ", " worker stopped ", " NOT FOR PRODUCTION")
    told = [line for line in ran.stderr.splitlines() if not any(words in line for words in of_the_worker)]
    assert len(told) == 1, ran.stderr
    assert "job failed id=" in told[0]


@pytest.mark.parametrize("url", ["postgresql://x@127.0.0.1:1/x", "mysql://x"])
def test_a_wrong_address_is_one_message_without_a_traceback(run, url):
    ran = run("migrate", DATABASE_URL=url)

    assert ran.returncode == 1
    assert "DATABASE_URL" in ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.mark.parametrize(
    ("variable", "given", "right"),
    [
        ("YOUTILITY_RETRY_DELAY_FACTOR", "fast", "a number from 0"),
        ("EMAIL_PORT", "smtp", "a port from 1 to 65535"),
        ("LOG_LEVEL", "loud", "one of NOTSET, DEBUG, INFO"),
        ("DJANGO_SETTINGS_MODULE", "no_such_settings", "a module that can be imported"),
    ],
)
def test_a_wrong_variable_is_one_line_without_a_traceback(run, variable, given, right):
    ran = run("manage_task_queue", "tasks", **{variable: given})

    assert ran.returncode == 1
    assert ran.stderr.startswith(f"{variable} is {given!r}; right is {right}")
    assert len(ran.stderr.splitlines()) == 1


@pytest.mark.parametrize("port", ["0", "65536", "http"])
def test_a_port_that_cannot_be_is_bad_usage(run, fresh_database, port):
    ran = run("up", "--port", port, DATABASE_URL=fresh_database.url)

    assert ran.returncode == 2
    assert f"{port!r} is not a port: a whole number from 1 to 65535" in ran.stderr


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def up(tmp_path: Path, fresh_database) -> Iterator[Callable[[int], subprocess.Popen[str]]]:
    """`up(port)`: a running `youtility-tasks up`; killed after the test if the test has not stopped it."""
    started: list[subprocess.Popen[str]] = []

    def start(port: int) -> subprocess.Popen[str]:
        process = warm.Popen(
            [sys.executable, "-m", "youtility_tasks.standalone", "up", "--port", str(port)],
            cwd=tmp_path,
            env=environment(tmp_path, DATABASE_URL=fresh_database.url),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.terminate()
            process.communicate(timeout=60)


def wait_for(condition: Callable[[], bool], what: str) -> None:
    give_up = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < give_up, f"waited in vain for {what}"
        time.sleep(0.02)


def answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5) as page:  # noqa: S310
            return page.status == 200
    except OSError:
        return False


def test_up_runs_pages_and_workers_until_ctrl_c(up, fresh_database):
    port = free_port()
    process = up(port)
    workers = "SELECT count(*) FROM youtility_tasks_taskworker WHERE status = 'running'"
    wait_for(lambda: answers(f"http://127.0.0.1:{port}/tasks/sign-in/"), "the pages")
    wait_for(lambda: fresh_database.rows(workers) == [(4,)], "four workers")
    assert answers(f"http://127.0.0.1:{port}/static/youtility_tasks/console.css")

    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=60)

    assert process.returncode == 0, said
    assert f"http://127.0.0.1:{port}/tasks/  (sign in as demo, password " in said
    assert "Traceback" not in said
    assert fresh_database.rows(workers) == [(0,)], "workers sign off before up returns"


def test_up_stops_all_when_one_part_ends(up):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        process = up(taken.getsockname()[1])
        said, _ = process.communicate(timeout=90)

    assert process.returncode == 1, said
    assert "The pages ended by themselves" in said
