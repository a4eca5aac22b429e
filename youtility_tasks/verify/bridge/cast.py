"""The processes of a run: Redis, Celery's worker and Beat, our workers, and the site that calls."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from youtility_tasks.errors import ConfigurationError
from youtility_tasks.verify.crew import NotInTime, until
from youtility_tasks.verify.entries import Kind
from youtility_tasks.verify.ground import SECRET
from youtility_tasks.verify.ledger import ADDRESS, FOLDER, Ledger

SETTINGS = "youtility_tasks.verify.bridge.settings"
APP = "youtility_tasks.verify.bridge.celery_app"
REDIS = "YOUTILITY_VERIFY_REDIS"
_AROUND_S = 0.5
"""A fault is said to have begun so much earlier: what had ended then may not have been acknowledged."""


def redis_server() -> str:
    """The program. Raises ConfigurationError where there is none."""
    found = shutil.which("redis-server") or shutil.which("redis-server", path="/usr/sbin:/usr/local/sbin:/sbin")
    if found is None:
        raise ConfigurationError(
            "No redis-server is installed here, and the proof needs a real one: apt-get install redis-server."
        )
    return found


def environment(database: str, ledger: str, folder: Path) -> dict[str, str]:
    """Of every process of a run."""
    return {
        **os.environ, "DJANGO_SETTINGS_MODULE": SETTINGS, "SECRET_KEY": SECRET, "DATABASE_URL": database, ADDRESS: ledger,
        FOLDER: str(folder), "C_FORCE_ROOT": "1", "PYTHONWARNINGS": "ignore",
        "YOUTILITY_ROLES": "0",  # `youtility-tasks` has said 1 for its own database; on the run's there are none
    }  # fmt: skip


class Cast:
    """Starts, kills and ends them; `close` leaves none behind."""

    def __init__(self, env: dict[str, str], folder: Path, ledger: Ledger) -> None:
        self.env, self.folder, self.ledger = env, folder, ledger
        self._started: dict[str, subprocess.Popen[bytes]] = {}
        self._seen: dict[int, psutil.Process] = {}
        self.port = int(env[REDIS].rpartition(":")[2].partition("/")[0])

    # -- who there is

    def redis(self) -> None:
        """Returns when it answers. What it has acknowledged is on disk."""
        command = [redis_server(), "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder)]
        command += ["--save", "", "--appendonly", "yes", "--appendfsync", "always"]
        self._run("redis", command)
        until(self._redis_answers, "redis-server answers")

    def celery(self) -> None:
        """A worker of Celery's; it may not be ready yet."""
        words = ["worker", "--concurrency", "2", "--loglevel", "INFO", "--without-gossip", "--without-mingle"]
        self._run("celery", [sys.executable, "-m", "celery", "-A", APP, *words])

    def beat(self) -> None:
        """Returns when it has begun."""
        self._run("beat", [sys.executable, "-m", "celery", "-A", APP, "beat", "--loglevel", "INFO", "--pidfile", ""])
        self.wait_for("beat", "beat: Starting...")

    def ours(self) -> None:
        """Our workers of all queues; they may not be ready yet."""
        self._run("ours", [sys.executable, "-m", "django", "run_postgresql_worker"])

    def caller(self) -> None:
        """The site."""
        self._run("caller", [sys.executable, "-m", "youtility_tasks.verify.bridge.caller"])

    # -- what becomes of them

    def wait_for(self, name: str, words: str) -> None:
        """Wait until it has said them."""
        until(
            lambda: words in self.said(name) or self._started[name].poll() is not None,
            f"{name} says {words!r}",
            within_s=60,
        )
        if words not in self.said(name):
            raise NotInTime(f"{name} ended: {self.said(name)[-2000:]}")

    def said(self, name: str) -> str:
        """What it has logged in this life."""
        return (self.folder / f"{name}.log").read_text(errors="replace")

    @contextlib.contextmanager
    def killed(self, name: str, *, for_s: float = 0.0) -> Iterator[None]:
        """SIGKILL for it and all below it; after the block the ledger is told whose work that may have cost. `for_s`: a fault that goes on."""
        began = time.monotonic_ns() - int(_AROUND_S * 1e9)
        family = self._family(name)
        for each in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()
        self._started[name].wait(10)
        yield
        ended = time.monotonic_ns() + int(for_s * 1e9)
        pids = "*" if name == "redis" else sorted(each.pid for each in family)
        self.ledger.write(Kind.NEMESIS, fault=f"kill {name}", to=ended, pids=pids, **{"from": began})

    @contextlib.contextmanager
    def frozen(self, name: str) -> Iterator[None]:
        """SIGSTOP for it and all below it: what it is to do waits. For less than a lease."""
        began = time.monotonic_ns() - int(_AROUND_S * 1e9)
        family = self._family(name)
        for each in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.suspend()
        try:
            yield
        finally:
            for each in family:
                with contextlib.suppress(psutil.NoSuchProcess):
                    each.resume()
            pids = sorted(each.pid for each in family)
            self.ledger.write(
                Kind.NEMESIS, fault=f"freeze {name}", to=time.monotonic_ns(), pids=pids, **{"from": began}
            )

    def stop(self, name: str, *, within_s: float = 40) -> None:
        """SIGTERM, and its end."""
        self._family(name)
        self._started[name].send_signal(signal.SIGTERM)
        try:
            self._started[name].wait(within_s)
        except subprocess.TimeoutExpired as error:
            raise NotInTime(f"{name} does not end: {self.said(name)[-2000:]}") from error

    def close(self) -> None:
        """Kill what is left, by the processes that we started and saw."""
        for name in self._started:
            self._family(name)
        for each in self._seen.values():
            with contextlib.suppress(psutil.NoSuchProcess):
                if each.is_running():
                    each.kill()
        for started in self._started.values():
            with contextlib.suppress(ProcessLookupError):
                started.kill()
            started.wait(10)

    def _family(self, name: str) -> list[psutil.Process]:
        try:
            top = psutil.Process(self._started[name].pid)
            found = [top, *top.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []
        self._seen |= {each.pid: each for each in found}
        return found

    def _run(self, name: str, command: list[str]) -> None:
        with (self.folder / f"{name}.log").open("wb") as out:
            self._started[name] = subprocess.Popen(  # noqa: S603
                command, env=self.env, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
            )

    def _redis_answers(self) -> bool:
        import redis

        with (
            contextlib.suppress(redis.RedisError),
            contextlib.closing(redis.Redis(port=self.port, socket_timeout=5)) as client,
        ):
            return bool(client.ping())
        return False


def free_port() -> int:
    """A port of loopback that nobody has."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
