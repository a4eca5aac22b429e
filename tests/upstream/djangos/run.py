"""`python -m tests.upstream.djangos.run [5.2|6.0|6.1|here] [django|ours|site ...]`: see that our backend keeps Django's promises.

`django`: Django's own tests of tasks (`tests/tasks` of its newest source distribution), in which only the backends' names are
changed, and `SimpleTestCase`, which allows no database. `ours`: our tests of the same, and of what runs in a worker.
`site`: packages that we did not write, whose tasks our workers run: Wagtail and, on Django 6, django-maintenance-tasks and
django-tasks-monitor. Each Django gets an environment of its own in `.upstream/`; Django 5.2
has the backport, `django-tasks`. Nothing fetched enters this project. Ends with 77 when something cannot be fetched.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

from youtility_tasks.standalone.server import Server

HERE = Path(__file__).resolve().parents[3]
FETCHED = HERE / ".upstream"
NOT_FETCHED = 77
NEWEST = "6.1"
VERSIONS = ("5.2", "6.0", "6.1")
NEEDED = ["pytest>=8.4,<10", "pytest-django", "pytest-randomly", "pytest-timeout", "hypothesis"]
OURS = [
    "tests/unit/test_tasks_api.py",
    "tests/unit/test_declaration.py",
    "tests/unit/test_foreign.py",
    "tests/integration/test_enqueue.py",
    "tests/integration/test_results.py",
    "tests/integration/test_foreign_tasks.py",
    "tests/acceptance/test_foreign_in_workers.py",
    "tests/acceptance/test_running.py",
]


SITE = ["wagtail", "django-maintenance-tasks", "django-tasks-monitor"]


class NotFetched(Exception):
    """Something cannot be had here."""


def tests() -> Path:
    """The folder with `tasks/`, Django's own tests: of DJANGO_SOURCE, or of its newest source distribution."""
    if given := os.environ.get("DJANGO_SOURCE"):
        return Path(given).resolve() / "tests"
    folder = FETCHED / f"django-{NEWEST}-tests"
    if not (folder / "ready").exists():
        with tempfile.TemporaryDirectory() as name:
            wanted = [
                f"Django=={NEWEST}.*",
                "--no-deps",
                "--no-binary",
                "Django",
                "--ignore-requires-python",
                "-d",
                name,
            ]
            pip(Path(sys.executable), "download", *wanted)
            (archive,) = Path(name).glob("*.tar.gz")
            with tarfile.open(archive) as tar:
                members = [each for each in tar.getmembers() if re.match(r"[^/]+/tests/tasks/", each.name)]
                tar.extractall(name, members, filter="data")
            (found,) = Path(name).glob("*/tests/tasks")
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(found, folder / "tasks")
        (folder / "ready").touch()
    return folder


def adapted(source: Path, folder: Path, version: str) -> None:
    """Copy Django's tests with our backend for theirs and, for the backport, its names for Django's."""
    swaps = [
        (r"from django\.tasks\.backends\.dummy import DummyBackend", "from tests.upstream.djangos.standins import Waiting as DummyBackend"),
        (r"from django\.tasks\.backends\.immediate import ImmediateBackend", "from tests.upstream.djangos.standins import Running as ImmediateBackend"),
        (r"django\.tasks\.backends\.dummy\.DummyBackend", "tests.upstream.djangos.standins.Waiting"),
        (r"django\.tasks\.backends\.immediate\.ImmediateBackend", "tests.upstream.djangos.standins.Running"),
        (r"\bSimpleTestCase, TransactionTestCase\b", "TransactionTestCase"),
        (r"\bSimpleTestCase\b", "TransactionTestCase"),
    ]  # fmt: skip
    if version == "5.2":
        swaps += [
            (r"\bdjango\.tasks\b", "django_tasks"),
            (r"\bInvalidTask\b", "InvalidTaskError"),
            (r"\bInvalidTaskBackend\b", "InvalidTaskBackendError"),
            (r"Backend does not support async Tasks\.", "Backend does not support async tasks."),
            (r"run_after cannot be defined .* decorator\.", "got multiple values for keyword argument 'run_after'"),
        ]
    # test_custom_backend.py tests what a backend is made of, on backends of its own.
    shutil.copytree(source / "tasks", folder / "tasks", ignore=shutil.ignore_patterns("test_custom_backend.py"))
    for file in (folder / "tasks").glob("*.py"):
        text = file.read_text()
        for theirs, ours in swaps:
            text = re.sub(theirs, ours, text)
        file.write_text(text)


def interpreter(version: str, *more: str) -> Path:
    """Python with this project, that Django and `more`, in an environment that is made once."""
    if version == "here":
        return Path(sys.executable)
    folder = FETCHED / f"django-{version}{'-site' if more else ''}"
    python = folder / "bin" / "python"
    if not (folder / "ready").exists():
        subprocess.run([base(version), "-m", "venv", "--clear", folder], check=True)
        pip(python, "install", "--quiet", "--editable", str(HERE), f"Django=={version}.*", *NEEDED, *more)
        (folder / "ready").touch()
    return python


def base(version: str) -> str:
    """A Python that this Django runs on: DJANGO_PYTHON, ours, or one that is installed. Django 6 wants 3.12."""
    least = (3, 12) if version.startswith("6") else (3, 11)
    pyenv = sorted(Path.home().glob(".pyenv/versions/3.*/bin/python"), reverse=True)
    for each in (
        os.environ.get("DJANGO_PYTHON"),
        sys.executable,
        "python3.13",
        "python3.12",
        "python3.14",
        *map(str, pyenv),
    ):
        asks = f"import sys; sys.exit(not {least} <= sys.version_info[:2] <= (3, 14))"
        if (
            each
            and shutil.which(each)
            and not subprocess.run([each, "-c", asks], check=False, capture_output=True).returncode
        ):
            return each
    raise NotFetched(f"Django {version} needs Python {'.'.join(map(str, least))}; name one in DJANGO_PYTHON.")


def pip(python: Path, *words: str) -> None:
    done = subprocess.run(
        [python, "-m", "pip", "--disable-pip-version-check", *words], check=False, capture_output=True, text=True
    )
    if done.returncode:
        raise NotFetched(f"pip {' '.join(words)}: {done.stderr[-2_000:]}")


def run_django(version: str) -> int:
    """Django's own tests."""
    source, python = tests(), interpreter(version)
    asks = [python, "-c", "import django; print('.'.join(map(str, django.VERSION[:2])))"]
    is_of = subprocess.run(asks, check=True, capture_output=True, text=True).stdout.strip()
    with database() as (folder, env):
        adapted(source, folder, is_of)
        env |= {
            "DJANGO_SETTINGS_MODULE": "tests.upstream.djangos.settings",
            "PYTHONPATH": os.pathsep.join([str(folder), env["PYTHONPATH"]]),
        }
        command = [python, "-m", "django", "test", "tasks", "-v", "2"]
        return subprocess.run(command, cwd=folder, env=env, check=False).returncode


@contextlib.contextmanager
def database() -> Iterator[tuple[Path, dict[str, str]]]:
    """An empty PostgreSQL in a folder of its own, and an environment that leads to it."""
    with tempfile.TemporaryDirectory(prefix="yt-django-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # the server's own user has to pass through
        server = Server(folder, options=["-c", "fsync=off"])
        with server.in_use():
            yield folder, {**os.environ, "DATABASE_URL": server.url("postgres"), "PYTHONPATH": str(HERE)}


def run_ours(version: str) -> int:
    """Our own tests of tasks."""
    return subprocess.run([interpreter(version), "-m", "pytest", "-q", *OURS], cwd=HERE, check=False).returncode


def run_site(version: str) -> int:
    """Other people's packages, by real workers; once more with a user for each part."""
    python = interpreter(version, *SITE[:1] if version == "5.2" else SITE)
    return sum(_run_site(python, roles) for roles in ("0", "1"))


def _run_site(python: Path, roles: str) -> int:
    with database() as (folder, env):
        env |= {
            "DJANGO_SETTINGS_MODULE": "tests.upstream.djangos.site.settings",
            "YOUTILITY_HOME": str(folder),
            "YOUTILITY_ROLES": roles,
        }
        command = [python, "-m", "tests.upstream.djangos.site.scenario"]
        return subprocess.run(command, cwd=HERE, env=env, check=False).returncode


KINDS = {"django": run_django, "ours": run_ours, "site": run_site}


def main(*words: str) -> int:
    versions = [word for word in words if word in (*VERSIONS, "here")] or list(VERSIONS)
    kinds = [word for word in words if word in KINDS] or list(KINDS)
    if unknown := set(words) - {*versions, *kinds}:
        sys.exit(f"{sorted(unknown)}: right are {[*VERSIONS, 'here']} and {list(KINDS)}.")
    failed = []
    for version in versions:
        for kind in kinds:
            print(f"== Django {version}: {kind}", flush=True)  # noqa: T201
            try:
                if KINDS[kind](version):
                    failed.append(f"{version} {kind}")
            except NotFetched as error:
                sys.stderr.write(f"skipped: {error}\n")
                return NOT_FETCHED
    print(f"failed: {', '.join(failed)}" if failed else "all passed", flush=True)  # noqa: T201
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
