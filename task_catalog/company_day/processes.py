"""The real processes of the day: the mail server and the workers, started, watched, started again, stopped."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from .errors import DayStuck

RETRY_DELAY_FACTOR = "0.01"
"""Waits between attempts are cut to a hundredth: the played day is about a thousand times as fast."""
ADMIN = "operations@facility.example"
"""Who hears of plans that cannot be scheduled."""
_STOP_WITHIN_S = 15.0
_STARTS = 5
"""A process that was killed is started again; one that gives up by itself so often will not work."""


class Sink:
    """The mail server; once started again it has the port and the file that it had."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.port = 0
        self.is_open = True
        """Whether it shall run."""
        self._process: subprocess.Popen[bytes] | None = None

    def keep_alive(self) -> None:
        """Start it, if it does not run and should. Raises DayStuck when it does not come up."""
        if not self.is_open:
            return
        if self._process is not None and self._process.poll() is None:
            return
        for _ in range(_STARTS):
            self.stop()
            if (port := self._start()) is not None:
                self.port = port
                return
        raise DayStuck(f"The mail server of the day did not come up in {_STARTS} starts.")

    def _start(self) -> int | None:
        """The port on which it listens, or None when it died before it could say so."""
        command = [sys.executable, "-m", "task_catalog.company_day.sink", str(self.file), "--port", str(self.port)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)  # noqa: S603
        assert self._process.stdout is not None  # noqa: S101 - it is a pipe
        line = self._process.stdout.readline().strip()
        return int(line) if line.isdigit() else None

    @property
    def pid(self) -> int | None:
        """The process, while there is one."""
        return None if self._process is None else self._process.pid

    def close(self) -> None:
        """It goes away, and nobody starts it again before `open`."""
        self.is_open = False
        self.stop()

    def open(self) -> None:
        """It comes back."""
        self.is_open = True
        self.keep_alive()

    def stop(self) -> None:
        if self._process is not None:
            _close(self._process.stdin)
            _close(self._process.stdout)
            self._process.kill()
            self._process.wait()
            self._process = None


class Workers:
    """The supervisor with its workers, on this database, by the played clock, mailing to the sink."""

    def __init__(self, database: str, sink: Sink, log: Path, more: Mapping[str, str]) -> None:
        """`more` are variables of their environment: where the day's folder and its broker are."""
        self._database, self._sink, self._log, self._more = database, sink, log, more
        self._process: subprocess.Popen[bytes] | None = None
        self._gave_up = 0

    def keep_alive(self) -> None:
        """Start them, if their supervisor does not run; what the former one left behind is killed first.

        Raises DayStuck when they give up by themselves again and again.
        """
        if self._process is not None:
            if self._process.poll() is None:
                return
            # 0 to 127 is an exit of its own; a kill shows as a signal, of the tether or (above 127) of its command.
            self._gave_up += 0 <= self._process.returncode < 128
            if self._gave_up >= _STARTS:
                raise DayStuck(f"The workers gave up {_STARTS} times.")
        self.kill()
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603
                [
                    *(sys.executable, "-m", "task_catalog.company_day.tether"),
                    *(sys.executable, "-m", "youtility_tasks.standalone", "run_postgresql_worker"),
                ],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=self.environment(),
                start_new_session=True,
            )

    @property
    def pid(self) -> int | None:
        """The process that holds them all, while there is one."""
        return None if self._process is None else self._process.pid

    def stop(self) -> None:
        """Let the workers finish and leave; kill them when that takes too long."""
        if self._process is not None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_STOP_WITHIN_S)
        self.kill()

    def kill(self) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            _close(self._process.stdin)
            self._process = None

    def last_words(self, lines: int = 20) -> str:
        """The end of the workers' log."""
        with contextlib.suppress(OSError):
            return "\n".join(self._log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
        return ""

    def environment(self) -> dict[str, str]:
        """In which every process of the day runs."""
        return {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "task_catalog.company_day.settings",
            "DATABASE_URL": self._database,
            "YOUTILITY_CLOCK": "task_catalog.company_day.clock.PlayedClock",
            "YOUTILITY_RETRY_DELAY_FACTOR": RETRY_DELAY_FACTOR,
            "YOUTILITY_ADMIN_EMAILS": ADMIN,
            "EMAIL_HOST": "127.0.0.1",
            "EMAIL_PORT": str(self._sink.port),
            **self._more,
        }


class Pages:
    """The console, on the day's database: for whoever wants to look on."""

    def __init__(self, workers: Workers, log: Path) -> None:
        self._workers, self._log = workers, log
        self._process: subprocess.Popen[bytes] | None = None
        self.address = ""

    def start(self, port: int) -> str:
        """Begin to serve them, on this port of the loopback or (0) any; their address."""
        with socket.socket() as found:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            found.bind(("127.0.0.1", port))
            port = found.getsockname()[1]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603
                [
                    *(sys.executable, "-m", "task_catalog.company_day.tether"),
                    *(sys.executable, "-m", "youtility_tasks.standalone", "runserver", "--noreload", "--insecure", f"127.0.0.1:{port}"),
                ],
                stdin=subprocess.PIPE, stdout=log, stderr=log, env=self._workers.environment(), start_new_session=True,
            )  # fmt: skip
        self.address = f"http://127.0.0.1:{port}/tasks/"
        return self.address

    def stop(self) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            _close(self._process.stdin)
            self._process = None


def _close(stream: IO[bytes] | None) -> None:
    if stream is not None:
        with contextlib.suppress(OSError):
            stream.close()
