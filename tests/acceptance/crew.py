"""Real worker processes on a database of their own, and eyes on both."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import psutil
import psycopg

from tests import warm
from tests.acceptance.app.mutants import Mutant

REPOSITORY = Path(__file__).resolve().parents[2]

QUICK: dict[str, Any] = {
    "heartbeat_interval_s": 0.3,
    "lease_s": 1.5,
    "rescue_interval_s": 0.3,
    "poll_interval_s": 1.0,
    "soft_limit_grace_s": 0.5,
    "abort_grace_s": 1.5,
    "shutdown_grace_s": 20.0,
    "retry_delay_factor": 0.01,
}
"""The product's own waits, shortened; their order is kept."""

Seen = TypeVar("Seen")


def until(see: Callable[[], Seen], *, within_s: float = 20, why: str = "") -> Seen:
    """Wait for `see()` to be true; its value. Fails after `within_s`."""
    deadline = time.monotonic() + within_s
    while not (seen := see()):
        assert time.monotonic() < deadline, f"not within {within_s} s: {why or see}; last seen: {seen!r}"
        time.sleep(0.02)
    return seen


class Queue:
    """The database as an outsider sees it: rows go in by SQL, and nothing of the house is used to look at them."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._connection: psycopg.Connection[Any] | None = None

    def rows(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        if self._connection is None:
            self._connection = psycopg.connect(self.url, autocommit=True)
        try:
            cursor = self._connection.execute(statement, parameters)
            return cursor.fetchall() if cursor.description else []
        except psycopg.OperationalError:
            self.close()
            raise

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """What is put inside the block appears at once."""
        self.rows("BEGIN")
        yield
        self.rows("COMMIT")

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def put(self, task_name: str, *, queue: str = "maintenance", tenant_id: int = 0, **columns_and_args: Any) -> int:
        """A job, as its row; columns of the job are named with a leading underscore."""
        columns = {key[1:]: value for key, value in columns_and_args.items() if key.startswith("_")}
        args = {key: value for key, value in columns_and_args.items() if not key.startswith("_")}
        values = {
            "queue_name": queue,
            "task_name": task_name,
            "args": json.dumps(args),
            "tenant_id": tenant_id,
            "priority": 6,
            **columns,
        }
        names, places = ", ".join(values), ", ".join(["%s"] * len(values))
        statement = f"INSERT INTO procrastinate_jobs ({names}) VALUES ({places}) RETURNING id"
        return int(self.rows(statement, *values.values())[0][0])

    def statuses(self) -> dict[int, str]:
        return dict(self.rows("SELECT id, status::text FROM procrastinate_jobs ORDER BY id"))

    def attempts(self, job_id: int) -> list[str]:
        """How each attempt ended, oldest first."""
        found = self.rows(
            "SELECT outcome FROM youtility_tasks_history WHERE job_id = %s ORDER BY finished_at, id", job_id
        )
        return [outcome for (outcome,) in found]

    def ending(self, job_id: int, *, within_s: float = 20) -> dict[str, Any]:
        """The row of the job's last attempt, once there is one."""

        def see() -> list[tuple[Any, ...]]:
            return self.rows(
                "SELECT row_to_json(h) FROM youtility_tasks_history h WHERE job_id = %s AND is_final", job_id
            )

        found = until(see, within_s=within_s, why=f"job {job_id} has not ended: {self.statuses()}")
        assert len(found) == 1, f"job {job_id} ended {len(found)} times"
        row: dict[str, Any] = found[0][0]
        return row

    def workers(self) -> list[tuple[int, int]]:
        """(id, pid) of the workers that procrastinate knows, oldest first."""
        return self.rows(
            "SELECT t.id, t.pid FROM youtility_tasks_taskworker t JOIN procrastinate_workers w USING (id) ORDER BY id"
        )

    def counter(self, name: str) -> int:
        return sum(
            value for (value,) in self.rows("SELECT value FROM youtility_tasks_queuecounter WHERE name = %s", name)
        )


class Supervisor:
    """One `run_postgresql_worker` and all its processes."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process, self.log, self.pid = process, log, process.pid

    def family(self) -> list[psutil.Process]:
        """The supervisor's workers, nurseries and children."""
        with contextlib.suppress(psutil.NoSuchProcess):
            return psutil.Process(self.pid).children(recursive=True)
        return []

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def wait(self, *, within_s: float = 20) -> int:
        return self.process.wait(within_s)

    def said(self, words: str) -> bool:
        return words in self.log.read_text(errors="replace")


class Crew:
    """The supervisors of one test, the queue they serve, and their tasks' diary."""

    settings_module = "tests.acceptance.settings"

    def __init__(self, queue: Queue, env: dict[str, str], folder: Path) -> None:
        self.queue, self.env, self.folder = queue, env, folder
        self.supervisors: list[Supervisor] = []
        self.inside: list[str] = []
        """The command in front of a supervisor's own: `ip netns exec name`."""
        self.code = REPOSITORY
        """Whose workers they are: another release's lies elsewhere."""
        self._seen: dict[int, psutil.Process] = {}

    def start(
        self,
        *arguments: str,
        queues: tuple[str, ...] = ("maintenance",),
        processes: int = 1,
        threads: int = 4,
        ready: bool = True,
        stdout: int | None = None,
        stderr: int | None = None,
        log_level: str = "INFO",
        mutant: Mutant | list[Mutant] | None = None,
        **settings: Any,
    ) -> Supervisor:
        """Start a supervisor; returns once each of its workers is registered. `mutant`: one of its guards is gone, or several are."""
        log = self.folder / f"log-{len(self.supervisors)}"
        before = len(self.queue.workers()) if ready else 0
        command = ["-m", "django", "run_postgresql_worker", "--queues", *queues]
        command += ["--processes", str(processes), "--threads", str(threads), *arguments]
        with log.open("wb") as file:
            process = warm.Popen(
                [*self.inside, sys.executable, *command],
                cwd=self.code,
                env={
                    **self.env,
                    "DJANGO_SETTINGS_MODULE": self.settings_module,
                    "TEST_SETTINGS": json.dumps({**QUICK, **settings}),
                    "TEST_DIARY": str(self.folder / "diary"),
                    "LOG_LEVEL": log_level,
                    "TEST_MUTANT": "" if mutant is None else json.dumps(mutant),
                },
                stdin=subprocess.DEVNULL,
                stdout=file if stdout is None else stdout,
                stderr=file if stderr is None else stderr,
                start_new_session=True,
            )
        supervisor = Supervisor(process, log)
        self.supervisors.append(supervisor)
        if ready:
            until(
                lambda: len(self.queue.workers()) >= before + len(queues) or process.poll() is not None,
                why="the workers have not registered",
            )
            assert process.poll() is None, log.read_text()
            self._note(supervisor)
        return supervisor

    def diary(self, event: str | None = None, **match: Any) -> list[dict[str, Any]]:
        path = self.folder / "diary"
        text = path.read_text() if path.exists() else ""
        # What is read while it is written may end within a line.
        entries = [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]
        return [
            each
            for each in entries
            if (event is None or each["event"] == event) and all(each.get(key) == value for key, value in match.items())
        ]

    def began(self, n: int = 1, **match: Any) -> list[dict[str, Any]]:
        """The first `n` beginnings, once there are so many."""
        found = until(
            lambda: len(self.diary("begin", **match)) >= n and self.diary("begin", **match), why=f"{n} have begun"
        )
        assert isinstance(found, list)
        return found

    def next_heartbeat(self, status: str) -> None:
        """Wait until a worker of that status has renewed its lease once more."""
        (before,) = self.queue.rows("SELECT max(heartbeat_at) FROM youtility_tasks_taskworker")
        until(
            lambda: self.queue.rows(
                "SELECT 1 FROM youtility_tasks_taskworker WHERE status = %s AND heartbeat_at > %s", status, *before
            ),
            why=f"a {status} worker renews",
        )

    def gate(self, name: str = "gate") -> Path:
        """A file that tasks wait for; `touch()` it to let them go."""
        return self.folder / name

    def _note(self, supervisor: Supervisor) -> None:
        for process in supervisor.family():
            self._seen[process.pid] = process

    def close(self) -> None:
        """Kill whatever is left, and show what it said."""
        for supervisor in self.supervisors:
            self._note(supervisor)
            with contextlib.suppress(ProcessLookupError):
                os.kill(supervisor.pid, signal.SIGKILL)
            supervisor.process.wait(10)
        for process in self._seen.values():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        for entry in self.diary():
            with contextlib.suppress(ProcessLookupError, psutil.NoSuchProcess):
                if "run_postgresql_worker" in " ".join(psutil.Process(entry["pid"]).cmdline()):
                    os.kill(entry["pid"], signal.SIGKILL)
        for supervisor in self.supervisors:
            sys.stdout.write(f"--- {supervisor.log.name}\n{supervisor.log.read_text(errors='replace')}\n")
        sys.stdout.write(f"--- jobs {self.queue.statuses() if self._reachable() else 'out of reach'}\n")
        self.queue.close()

    def _reachable(self) -> bool:
        try:
            self.queue.rows("SELECT 1")
        except psycopg.Error:
            return False
        return True


def is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
