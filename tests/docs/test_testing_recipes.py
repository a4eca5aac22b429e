"""What TESTING.md shows runs as a stranger would copy it: a project of his own, with its own pytest, pytest-django and our plugin."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import youtility_tasks
from tests.conftest import Database

RECIPES = (Path(youtility_tasks.__file__).parent / "TESTING.md").read_text(encoding="utf-8")

SETTINGS = """
import django
from youtility_tasks.standalone.database import from_url

DATABASES = {{"default": from_url({url!r})}}
DATABASES["default"]["TEST"] = {{"NAME": DATABASES["default"]["NAME"]}}  # migrated already
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
SECRET_KEY = "recipes"
USE_TZ = True
DEFAULT_FROM_EMAIL = "shop@example.org"
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    *(["django_tasks"] if django.VERSION < (6, 0) else []),
    "procrastinate.contrib.django",
    "youtility_tasks",
    "task_catalog",
    "task_catalog.facility",
    "shop",
]
TASKS = {{"default": {{"BACKEND": "youtility_tasks.backends.ProcrastinateBackend", "QUEUES": []}}}}
YOUTILITY_TASKS = {{"allow_unsafe_database": True}}
"""
OPTIONS = "[pytest]\nDJANGO_SETTINGS_MODULE = settings\npythonpath = .\naddopts = --reuse-db\nfilterwarnings = error\n"


def blocks() -> dict[str, str]:
    """File name -> text, of each block that says in its first line what file it is."""
    return {
        code.split("\n", 1)[0].removeprefix("# "): code for code in re.findall(r"```python\n(.*?)```", RECIPES, re.S)
    }


def own_pytest(folder: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "DJANGO", "DATABASE"))
    }
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *arguments],
        cwd=folder, env={**inherited, **env}, capture_output=True, text=True, timeout=110,
    )  # fmt: skip


@pytest.mark.django_db
def test_every_recipe_runs_in_a_project_of_its_own(tmp_path: Path, fresh_database: Database) -> None:
    files = blocks()
    for name, code in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(code, encoding="utf-8")
    (tmp_path / "shop" / "__init__.py").touch()
    (tmp_path / "settings.py").write_text(SETTINGS.format(url=fresh_database.url), encoding="utf-8")
    (tmp_path / "pytest.ini").write_text(OPTIONS, encoding="utf-8")

    done = own_pytest(tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr
    tests = sum(len(re.findall(r"^ *def test_", code, re.M)) for code in files.values())
    assert tests > 10
    assert re.search(rf"^{tests} passed", done.stdout, re.M), done.stdout


def test_without_django_the_plugin_does_nothing_and_its_fixtures_say_what_they_need(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    (tmp_path / "test_it.py").write_text(
        "import sys\n"
        "def test_plain(): assert 'youtility_tasks.models' not in sys.modules\n"
        "def test_queue(task_queue): pass\n",
        encoding="utf-8",
    )

    done = own_pytest(tmp_path)

    assert "1 passed, 1 error" in done.stdout, done.stdout + done.stderr
    assert "'task_queue' needs Django: set DJANGO_SETTINGS_MODULE" in done.stdout
