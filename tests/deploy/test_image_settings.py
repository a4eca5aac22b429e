"""The settings of the image: complete, or a word that says what is missing; and Django takes them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.deploy.files import ROOT, run

GIVEN = {
    "DJANGO_SETTINGS_MODULE": "deploy.settings",
    "SECRET_KEY": "a-Key-of-the-test-that-is-long-enough-0123456789-abcdefgh",
    "TENANT_KEY": "another-key-of-the-test-that-is-long-enough",
    "SEALING_KEY": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    "METRICS_TOKEN": "a-token-for-scrapes",
    "DATABASE_URL": "postgresql://owner@127.0.0.1:1/none",
    "ALLOWED_HOSTS": "tasks.example.com",
    **{f"{part}_PASSWORD": part for part in ("WORKER", "TASK", "WEB", "OPS", "EXPORTER")},
}


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "YOUTILITY_HOME": str(tmp_path), "STATIC_ROOT": str(tmp_path), **GIVEN}


def test_django_finds_nothing_to_warn_of_in_production(environ: dict[str, str]) -> None:
    ran = run(sys.executable, "-m", "django", "check", "--deploy", "--fail-level", "WARNING", cwd=ROOT, env=environ)

    assert ran.returncode == 0, ran.stderr
    assert "no issues" in ran.stdout


def test_a_secret_that_is_missing_is_named(environ: dict[str, str]) -> None:
    del environ["TASK_PASSWORD"]

    ran = run(sys.executable, "-c", "import deploy.settings", cwd=ROOT, env=environ)

    assert ran.returncode != 0
    assert "TASK_PASSWORD" in ran.stderr and "the password of the user tq_the_task" in ran.stderr
