"""Django's own tests of task backends pass on ours.

`make django` fetches and runs them, on each Django. Here they run, on the Django at hand, if their source is named.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.upstream.djangos import run
from tests.upstream.djangos.runner import LEFT_OUT

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.skipif("DJANGO_SOURCE" not in os.environ, reason="DJANGO_SOURCE names no source: `make django`")
@pytest.mark.timeout(300)
def test_djangos_own_tests_pass_on_our_backend() -> None:
    command = [sys.executable, "-m", "tests.upstream.djangos.run", "here", "django"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout[-10_000:] + done.stderr[-5_000:]


def test_every_test_that_is_left_out_says_where_and_why() -> None:
    lines = [line.split("  ") for line in LEFT_OUT.read_text().splitlines() if line and not line.startswith("#")]

    assert lines
    assert all(
        len(line) == 3 and {*line[1].split(",")} <= {"all", *run.VERSIONS} and line[2][-1] == "." for line in lines
    )


THEIRS = """
from django.tasks import default_task_backend, task_backends
from django.tasks.backends.dummy import DummyBackend
from django.tasks.exceptions import InvalidTask, InvalidTaskBackend
from django.test import SimpleTestCase, TransactionTestCase

@override_settings(TASKS={"default": {"BACKEND": "django.tasks.backends.dummy.DummyBackend", "QUEUES": ["queue-1"]}})
class Tests(SimpleTestCase):
    assertIsInstance(task_backends["default"], DummyBackend)
"""


@pytest.mark.parametrize("version", ["5.2", "6.1"])
def test_of_djangos_tests_only_the_backend_and_what_allows_a_database_is_changed(tmp_path: Path, version: str) -> None:
    source, folder = tmp_path / "source", tmp_path / "adapted"
    (source / "tasks").mkdir(parents=True)
    (source / "tasks" / "test_tasks.py").write_text(THEIRS)

    run.adapted(source, folder, version)

    ours = (folder / "tasks" / "test_tasks.py").read_text()
    back = (
        ours.replace("tests.upstream.djangos.standins import Waiting as", "django.tasks.backends.dummy import")
        .replace("tests.upstream.djangos.standins.Waiting", "django.tasks.backends.dummy.DummyBackend")
        .replace("import TransactionTestCase", "import SimpleTestCase, TransactionTestCase")
        .replace("Tests(TransactionTestCase)", "Tests(SimpleTestCase)")
    )
    if version == "5.2":
        assert "InvalidTaskError, InvalidTaskBackendError" in ours
        back = back.replace("django_tasks", "django.tasks").replace("Error", "")
    assert back == THEIRS
