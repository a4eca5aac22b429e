"""A real Redis, real Celery workers and a real Beat, each a process of a test's own on loopback."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import redis

from tests import warm
from tests.acceptance.crew import until

REPOSITORY = Path(__file__).resolve().parents[2]


class Redis:
    """A redis-server on a port of its own. What it has acknowledged is on disk, so that `kill` and `start` lose nothing."""

    def __init__(self, program: str, folder: Path) -> None:
        self.program, self.folder = program, folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, db: int = 0) -> str:
        """For `broker_url` and `result_backend`."""
        return f"redis://127.0.0.1:{self.port}/{db}"

    def client(self, db: int = 0) -> redis.Redis:
        """To look into it, or to put something there by hand."""
        return redis.Redis(port=self.port, db=db, socket_timeout=5)

    def start(self) -> None:
        """Returns when it answers."""
        command = [self.program, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder)]
        command += ["--save", "", "--appendonly", "yes", "--appendfsync", "always", "--logfile", "redis.log"]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
        until(self._answers, why="redis-server answers")

    def kill(self) -> None:
        """As a power cut does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def _answers(self) -> bool:
        with contextlib.suppress(redis.RedisError), contextlib.closing(self.client()) as client:
            return bool(client.ping())
        return False


class Program:
    """One process and what it says."""

    def __init__(self, command: list[str], env: Mapping[str, str], log: Path) -> None:
        self.log = log
        with log.open("wb") as file:
            self._process = warm.Popen(
                command,
                cwd=REPOSITORY,
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.pid = self._process.pid

    def said(self, words: str) -> bool:
        """Whether its output has these words by now."""
        return words in self.log.read_text(errors="replace")

    def wait_for(self, words: str, *, within_s: float = 30) -> None:
        """Wait until it has said them; fails at once if it has ended."""
        until(lambda: self.said(words) or self._process.poll() is not None, within_s=within_s, why=f"{words!r} is said")
        assert self.said(words), self.log.read_text(errors="replace")[-4000:]

    def terminate(self, *, within_s: float = 20) -> int:
        """SIGTERM: a Celery worker ends what runs (its warm shutdown). Its exit status."""
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(within_s)

    def kill(self) -> None:
        """SIGKILL, for it and for the processes that it has started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait(10)


class Programs:
    """Starts Celery's programs for an application on a broker, and ends them all."""

    def __init__(self, broker: Redis, env: Mapping[str, str], folder: Path) -> None:
        self.broker, self.folder = broker, folder
        self.env = {"CELERY_BROKER": broker.url(0), "CELERY_RESULTS": broker.url(1), **env}
        self._started: list[Program] = []

    def worker(
        self, app: str, *arguments: str, queues: str = "celery", pool: str = "prefork", processes: int = 1, **env: str
    ) -> Program:
        """`celery worker`, once it is ready. `app` is what `-A` names."""
        words = ["worker", "--queues", queues, "--pool", pool, "--concurrency", str(processes), "--loglevel", "INFO"]
        words += ["--without-gossip", "--without-mingle", "--hostname", f"w{len(self._started)}@%h", *arguments]
        made = self._celery(app, words, env)
        made.wait_for(" ready.")
        return made

    def beat(self, app: str, *arguments: str, **env: str) -> Program:
        """`celery beat`, once it has begun; its file of what it has sent is in the test's folder."""
        files = ["--schedule", str(self.folder / "beat-schedule"), "--pidfile", ""]
        made = self._celery(app, ["beat", "--loglevel", "INFO", "--max-interval", "1", *files, *arguments], env)
        made.wait_for("beat: Starting...")
        return made

    def manage(self, *words: str, settings: str, within_s: float = 60, **env: str) -> subprocess.CompletedProcess[str]:
        """`manage.py WORDS`, to its end."""
        return warm.run(
            [sys.executable, "-m", "django", *words],
            cwd=REPOSITORY,
            env={**self.env, "DJANGO_SETTINGS_MODULE": settings, **env},
            capture_output=True,
            text=True,
            timeout=within_s,
        )

    def start(self, command: list[str], **env: str) -> Program:
        """Any other program of this test."""
        made = Program(command, {**self.env, **env}, self.folder / f"log-{len(self._started)}")
        self._started.append(made)
        return made

    def _celery(self, app: str, words: list[str], env: Mapping[str, Any]) -> Program:
        return self.start([sys.executable, "-m", "celery", "-A", app, *words], C_FORCE_ROOT="1", **env)

    def close(self) -> None:
        """Kill whatever is left, and show what it said."""
        for each in self._started:
            each.kill()
            sys.stdout.write(f"--- {each.log.name}\n{each.log.read_text(errors='replace')[-8000:]}\n")
