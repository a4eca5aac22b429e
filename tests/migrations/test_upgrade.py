"""From the oldest release that may be upgraded in place: its workers and its application go on while the new one migrates and starts."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from tests import warm
from tests.acceptance.crew import REPOSITORY, Crew, Queue, until
from tests.prepared import in_memory, start_from_copy
from youtility_tasks.standalone.server import Server

SINCE = re.search(
    r"workers of commit `(\w+)` \(schema `(\w+)`\)", (REPOSITORY / "deploy/README.md").read_text(encoding="utf-8")
)
"""As the upgrade guide promises."""


@pytest.fixture(scope="module")
def old_code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    assert SINCE is not None, "deploy/README.md names no release"
    packed = subprocess.run(["git", "archive", SINCE[1]], cwd=REPOSITORY, capture_output=True)
    if packed.returncode:
        pytest.skip(f"commit {SINCE[1]} is not here; clone with the whole history: {packed.stderr.decode().strip()}")
    folder = tmp_path_factory.mktemp("old-code")
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
        archive.extractall(folder, filter="data")
    assert sorted(path.stem for path in (folder / "youtility_tasks/migrations").glob("0*.py"))[-1] == SINCE[2]
    return folder


@pytest.fixture
def server(pytestconfig: pytest.Config, old_code: Path) -> Iterator[Server]:
    """Migrated by the old code."""
    folder = Path(tempfile.mkdtemp(prefix="yt-old-", dir=in_memory()))
    folder.chmod(0o755)
    made = Server(folder, options=["-c", "fsync=off"])
    try:
        start_from_copy(made, pytestconfig.rootpath / ".pytest_cache" / "prepared-old", lambda: migrate(made, old_code))
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder)


def env_of(server: Server, code: Path) -> dict[str, str]:
    settings = {"DJANGO_SETTINGS_MODULE": "tests.acceptance.settings", "PYTHONPATH": str(code)}
    return {**os.environ, "DATABASE_URL": server.url(), **settings}


def migrate(server: Server, code: Path) -> None:
    command = [sys.executable, "-m", "django", "migrate", "--verbosity", "0"]
    done = warm.run(command, cwd=code, env=env_of(server, code), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@dataclass
class Application:
    """Enqueues with the code of one release."""

    name: str
    process: subprocess.Popen[str]
    stop: Path
    said: Path

    def ids(self) -> list[int]:
        """Of the jobs whose transactions are over."""
        return [int(line) for line in self.said.read_text().splitlines(keepends=True) if line.endswith("\n")]

    def is_well(self) -> bool:
        if self.process.poll() is not None:
            self.leave()
        return True

    def leave(self) -> None:
        self.stop.touch()
        _, trouble = self.process.communicate(timeout=20)
        assert self.process.returncode == 0, f"the {self.name} application failed: {trouble[-2000:]}"


def application(name: str, server: Server, code: Path, folder: Path) -> Application:
    stop, said = folder / f"stop-{name}", folder / f"ids-{name}"
    with said.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, str(REPOSITORY / "tests/migrations/enqueues.py"), str(stop), name],
            cwd=code,
            env={**env_of(server, code), "TEST_DIARY": str(folder / "diary")},
            stdout=file,
            stderr=subprocess.PIPE,
            text=True,
        )
    return Application(name, process, stop, said)


def crew_of(code: Path, server: Server, folder: Path) -> Crew:
    folder.mkdir()
    made = Crew(Queue(server.url()), env_of(server, code), folder)
    made.code = code
    return made


def ended(crew: Crew) -> int:
    return int(crew.queue.rows("SELECT count(*) FROM youtility_tasks_history WHERE is_final")[0][0])


@pytest.mark.timeout(120)
def test_old_workers_and_an_old_application_live_through_the_migrations_and_beside_new_ones(
    server: Server, old_code: Path, tmp_path: Path
) -> None:
    old, new = crew_of(old_code, server, tmp_path / "old"), crew_of(REPOSITORY, server, tmp_path / "new")
    applications: list[Application] = []
    with contextlib.ExitStack() as stack:
        stack.callback(old.close)
        stack.callback(new.close)
        stack.callback(lambda: [each.process.kill() for each in applications if each.process.poll() is None])
        old.start()
        applications.append(application("old", server, old_code, tmp_path))
        until(lambda: applications[0].is_well() and ended(old) > 20, why="the old release works")

        migrate(server, REPOSITORY)

        seen = ended(old)
        until(lambda: ended(old) > seen + 20, why="the old workers go on, on the new schema")
        new.start()
        applications.append(application("new", server, REPOSITORY, tmp_path))
        until(lambda: applications[1].is_well() and len(applications[1].ids()) > 40, why="both enqueue")
        for each in applications:
            each.leave()
        old.supervisors[0].signal(signal.SIGTERM)
        assert old.supervisors[0].wait() == 0
        left = "SELECT 1 FROM procrastinate_jobs WHERE status IN ('todo', 'doing') LIMIT 1"
        until(lambda: not new.queue.rows(left), why="the new workers end what is left")

        ids = [job_id for each in applications for job_id in each.ids()]
        ends = dict(
            new.queue.rows("SELECT job_id, count(*) FROM youtility_tasks_history WHERE is_final GROUP BY job_id")
        )
        outcomes = dict(new.queue.rows("SELECT outcome, count(*) FROM youtility_tasks_history GROUP BY outcome"))
        assert [job_id for job_id in ids if ends.get(job_id) != 1] == [], "lost, or ended twice"
        assert set(outcomes) == {"succeeded", "retry"} and outcomes["succeeded"] == len(ids)
        for crew in (old, new):
            log = crew.supervisors[0].log.read_text()
            assert not re.search(r" (ERROR|CRITICAL) |Traceback|queue out of reach", log), log[-3000:]
        writers = "SELECT count(DISTINCT worker_id) FROM youtility_tasks_history"
        assert new.queue.rows(writers)[0][0] >= 2, "old and new both worked"


def statements(code: Path) -> dict[str, str]:
    """What that code asks of a database, with places for values as PREPARE wants them."""
    found = {}
    for path in sorted((code / "youtility_tasks/sql").glob("*.sql")):
        names: list[str] = []

        def place(match: re.Match[str], names: list[str] = names) -> str:
            if match[1] not in names:
                names.append(match[1])
            return f"${names.index(match[1]) + 1}"

        text = re.sub(r"%\((\w+)\)s", place, path.read_text(encoding="utf-8")).replace("%%", "%")
        found[path.stem] = text
    return found


def understood(server: Server, asked: dict[str, str]) -> set[str]:
    """Those of the statements that the schema can carry out."""
    good = set()
    with psycopg.connect(server.url(), autocommit=True) as connection:
        for name, text in asked.items():
            with contextlib.suppress(psycopg.Error):
                connection.pgconn.prepare(name.encode(), text.encode())
                result = connection.pgconn.describe_prepared(name.encode())
                if result.status == psycopg.pq.ExecStatus.COMMAND_OK:
                    good.add(name)
    return good


def test_every_statement_of_the_old_code_is_understood_by_the_new_schema(server: Server, old_code: Path) -> None:
    asked = statements(old_code)
    before = understood(server, asked)
    assert len(before) > 80

    migrate(server, REPOSITORY)

    assert before - understood(server, asked) == set()
    with psycopg.connect(server.url(), autocommit=True) as connection:  # what a migration must not do is seen
        connection.execute("ALTER TABLE procrastinate_jobs RENAME COLUMN tenant_id TO client_id")
    assert before - understood(server, asked) != set()
