"""The processes of a run: supervisors with their workers and children, and the generator."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import psutil
import psycopg

from .ground import SECRET, SETTINGS, Place
from .ledger import ADDRESS, FOLDER
from .witness import DIRECT

Seen = TypeVar("Seen")

QUICK: dict[str, Any] = {
    "heartbeat_interval_s": 0.3,
    "lease_s": 1.5,
    "rescue_interval_s": 0.3,
    "poll_interval_s": 1.0,
    "statement_deadline_s": 1.0,
    "reconnect_cap_s": 1.0,
    "soft_limit_grace_s": 0.5,
    "abort_grace_s": 1.5,
    "shutdown_grace_s": 5.0,
    "retry_delay_factor": 0.1,
}
"""The product's own waits, shortened; their order is kept."""

SOAK: dict[str, Any] = {}
"""The product's own waits as they are."""


class NotInTime(Exception):
    """What a run waited for did not happen; nothing can be judged."""


def until(see: Callable[[], Seen], what: str, *, within_s: float = 30) -> Seen:
    """Wait for `see()` to be true; its value. Raises NotInTime."""
    deadline = time.monotonic() + within_s
    while not (seen := see()):
        if time.monotonic() > deadline:
            raise NotInTime(f"{what}: not within {within_s:.0f} s; last seen: {seen!r}")
        time.sleep(0.02)
    return seen


class Crew:
    """All processes of one run; `close` leaves none behind."""

    def __init__(self, place: Place, address: str, settings: dict[str, Any], **more_env: str) -> None:
        self.place, self.settings = place, settings
        self.env = {
            **os.environ,
            **more_env,
            "DJANGO_SETTINGS_MODULE": SETTINGS,
            "SECRET_KEY": SECRET,
            "DATABASE_URL": address,
            "YOUTILITY_VERIFY_SETTINGS": json.dumps(settings),
            DIRECT: place.direct,
            ADDRESS: place.ledger,
            FOLDER: str(place.folder),
        }
        self.supervisors: list[subprocess.Popen[bytes]] = []
        self.generator: subprocess.Popen[bytes] | None = None
        self._seen: dict[int, psutil.Process] = {}

    def start(self, **env: str) -> subprocess.Popen[bytes]:
        """One more supervisor of all queues; it may not be ready yet."""
        process = self._run(f"workers-{len(self.supervisors)}", ["-m", "django", "run_postgresql_worker"], env)
        self.supervisors.append(process)
        return process

    def ready(self, workers: int) -> None:
        """Wait until so many workers are registered."""
        until(lambda: len(self.workers()) >= workers, f"{workers} workers are registered")
        self.note()

    def generate(self, seed: int, jobs: int, rate: float, address: str) -> None:
        """Start to enqueue."""
        words = ["-m", "django", "verify_generate", f"--seed={seed}", f"--jobs={jobs}", f"--rate={rate}"]
        self.generator = self._run("generator", words, {"DATABASE_URL": address})

    def workers(self) -> list[tuple[int, int, int]]:
        """(worker id, pid, supervisor's pid) of those that are registered; none while the database does not answer."""
        try:
            with psycopg.connect(self.place.direct, connect_timeout=2) as connection:
                return connection.execute(
                    "SELECT t.id, t.pid, t.supervisor_pid FROM youtility_tasks_taskworker t"
                    " JOIN procrastinate_workers w USING (id) ORDER BY t.id"
                ).fetchall()
        except psycopg.OperationalError:
            return []

    def alive(self) -> list[subprocess.Popen[bytes]]:
        """The supervisors that run."""
        return [process for process in self.supervisors if process.poll() is None]

    def family(self, pid: int) -> list[psutil.Process]:
        """A process and all below it."""
        try:
            top = psutil.Process(pid)
            found = [top, *top.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []
        self._seen |= {process.pid: process for process in found}
        return found

    def note(self) -> None:
        """Remember every process of ours, so that none is left when its parent is gone."""
        for process in self.supervisors:
            self.family(process.pid)

    def stop(self, process: subprocess.Popen[bytes], *, within_s: float = 30) -> int:
        """SIGTERM, and wait for the end."""
        process.send_signal(signal.SIGTERM)
        return process.wait(within_s)

    def close(self) -> None:
        """Kill what is left, by the processes that we started and saw."""
        self.note()
        for started in [*self.supervisors, *([self.generator] if self.generator else [])]:
            with contextlib.suppress(ProcessLookupError):
                started.kill()
            started.wait(10)
        for process in self._seen.values():
            with contextlib.suppress(psutil.NoSuchProcess):
                if process.is_running():
                    process.kill()

    def said(self) -> dict[str, str]:
        """What the processes logged."""
        return {path.name: path.read_text(errors="replace") for path in sorted(self.place.folder.glob("*.log"))}

    def _run(self, name: str, words: list[str], env: dict[str, str]) -> subprocess.Popen[bytes]:
        log: Path = self.place.folder / f"{name}.log"
        with log.open("wb") as out:
            return subprocess.Popen(  # noqa: S603
                [sys.executable, *words],
                env={**self.env, **env},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
