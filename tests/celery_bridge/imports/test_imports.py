"""Beat's rows, Redis's messages and Celery's results become ours, in a project that has the tables of both."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import require_program

pytest.importorskip("django_celery_beat")
pytest.importorskip("django_celery_results")
HERE = Path(__file__).parent
ROOT = HERE.parents[2]


@pytest.mark.timeout(240)
def test_beat_and_messages_and_results_become_ours() -> None:
    require_program("redis-server", package="redis-server")
    files = sorted(str(each.relative_to(ROOT)) for each in HERE.glob("inside_*.py"))
    assert len(files) == 4
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--durations=8", *files]
    env = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.celery_bridge.imports.settings"}
    env.pop("PYTEST_XDIST_WORKER", None)

    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=220)

    assert done.returncode == 0, done.stdout[-12_000:] + done.stderr[-2_000:]
