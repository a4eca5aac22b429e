"""`python -m tests.upstream.run [ours|stock] [pytest arguments]`: run procrastinate's own tests on our schema.

The source of the installed version is fetched into `.upstream/` (its distribution on PyPI holds no tests), or named by
PROCRASTINATE_SOURCE. Nothing of it enters this project. Ends with 77 when it cannot be fetched.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
import tempfile
import urllib.request
from importlib import metadata
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict

from youtility_tasks.standalone.server import Server

HERE = Path(__file__).resolve().parents[2]
FETCHED = HERE / ".upstream"
ARCHIVE = "https://github.com/procrastinate-org/procrastinate/archive/refs/tags/{version}.tar.gz"
NEEDED = ["pytest-asyncio", "pytest-mock", "pytest-django", "aiopg", "psycopg2-binary", "sqlalchemy"]
NOT_FETCHED = 77

WITH_A_WORKER = ["tests/acceptance/test_async.py", "tests/acceptance/test_sync.py"]
"""What runs a worker in its own process. The rest starts procrastinate's command line, or no worker, and runs with `stock`."""
ALL = ["tests/acceptance", "tests/integration"]


class NotFetched(Exception):
    """The source cannot be had here."""


def source() -> Path:
    """The folder with procrastinate's tests, of the version that is installed."""
    given = os.environ.get("PROCRASTINATE_SOURCE")
    if given:
        return Path(given).resolve()
    version = metadata.version("procrastinate")
    folder = FETCHED / f"procrastinate-{version}"
    if not folder.exists():
        url = ARCHIVE.format(version=version)
        try:
            with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310 - a constant of ours
                archive = answer.read()
        except OSError as error:
            raise NotFetched(f"{url}: {error}. Name a checkout of it in PROCRASTINATE_SOURCE.") from error
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            tar.extractall(FETCHED, filter="data")
    return folder


def interpreter() -> str:
    """Python with this project and what procrastinate's tests import, apart from the project's own environment."""
    folder = FETCHED / "venv"
    python = folder / "bin" / "python"
    if not (folder / "ready").exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        install = [python, "-m", "pip", "install", "--quiet", "--editable", f"{HERE}[dev]", *NEEDED]
        if subprocess.run(install, check=False).returncode:
            raise NotFetched(f"pip could not install {', '.join(NEEDED)}.")
        (folder / "ready").touch()
    return str(python)


def schema(env: dict[str, str], folder: Path) -> Path:
    """Our migrations as SQL, and those of Django's own that they stand on."""
    script = folder / "ours.sql"
    code = (
        "import django; django.setup()\n"
        "from django.db import connection\n"
        "from django.db.migrations.loader import MigrationLoader\n"
        "loader = MigrationLoader(connection, replace_migrations=False)\n"
        "plan = [(loader.graph.nodes[key], False) for key in loader.graph.forwards_plan(\n"
        "    loader.graph.leaf_nodes('youtility_tasks')[0]) if key[0] != 'procrastinate']\n"
        "print('\\n'.join(loader.collect_sql(plan)))\n"
    )
    with script.open("w") as file:
        subprocess.run([sys.executable, "-c", code], env=env, stdout=file, check=True, cwd=HERE)
    return script


def main(kind: str = "ours", *arguments: str) -> int:
    try:
        tests, python = source(), interpreter()
    except NotFetched as error:
        sys.stderr.write(f"procrastinate's tests are skipped: {error}\n")
        return NOT_FETCHED
    with tempfile.TemporaryDirectory(prefix="yt-upstream-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # the server's own user has to pass through
        server = Server(folder, options=["-c", "fsync=off", "-c", "max_connections=200"])
        with server.in_use():
            reached = conninfo_to_dict(server.conninfo("postgres"))
            env = {
                **os.environ,
                **{f"PG{key.upper()}": str(reached[key]) for key in ("host", "port", "user") if key in reached},
                "DATABASE_URL": server.url("postgres"),
                "PYTHONPATH": os.pathsep.join([str(tests), str(HERE / "tests"), os.environ.get("PYTHONPATH", "")]),
                "UPSTREAM_WORKER": kind,
            }
            ours = {**env, "DJANGO_SETTINGS_MODULE": "youtility_tasks.standalone.settings"}
            env = {**(ours if kind == "ours" else env), "UPSTREAM_SCHEMA": str(schema(ours, folder))}
            chosen = list(arguments) or [
                each for each in (WITH_A_WORKER if kind == "ours" else ALL) if (tests / each).exists()
            ]
            command = [python, "-m", "pytest", "-p", "upstream.plugin", "-p", "no:randomly", "--rootdir", str(tests)]
            return subprocess.run([*command, *chosen], cwd=tests, env=env, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
