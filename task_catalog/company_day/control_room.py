"""The control room's broker and whoever listens there, as processes: mosquitto where it is installed, else a small one."""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

from .ears import Heard, read
from .errors import DayStuck

_COMES_UP_WITHIN_S = 20.0
_LOOK_S = 0.02
_QUIET_S = 0.5
"""What a broker that is up holds for its listener arrives within this."""
_STARTS = 5
_CONFIGURATION = """\
listener {port} 127.0.0.1
allow_anonymous true
user {user}
persistence true
persistence_location {folder}/
autosave_on_changes true
autosave_interval 1
max_queued_messages 0
log_dest none
"""


class ControlRoom:
    """Keeps its port over all its starts. What it hears stays in `file`."""

    def __init__(self, folder: Path, *, mosquitto: str | None = None) -> None:
        """`mosquitto` is the program to run; by default the one that is installed, "" is the small broker."""
        self.file = folder / "control-room.jsonl"
        self._folder = folder
        self._mosquitto = _installed() if mosquitto is None else mosquitto
        self.port = _free_port()
        self._broker: subprocess.Popen[bytes] | None = None
        self._ears: subprocess.Popen[bytes] | None = None
        self.is_open = True
        """Whether it shall be up; the day closes it for an hour."""

    def keep_alive(self) -> None:
        """Start what does not run and should. Raises DayStuck when it does not come up."""
        if not self.is_open:
            return
        for _ in range(_STARTS):
            if self._broker_is_up() and self._ears_are_up():
                return
        raise DayStuck(f"The broker of the day did not come up in {_STARTS} starts.")

    def close(self) -> None:
        """The broker goes down, and nobody starts it again before `open`."""
        self.is_open = False
        _end(self._broker)
        self._broker = None

    def open(self) -> None:
        """The broker comes back."""
        self.is_open = True
        self.keep_alive()

    def heard(self) -> list[Heard]:
        """All messages, once nothing more has arrived for a moment."""
        size = -1
        while self.file.exists() and size != (size := self.file.stat().st_size):
            time.sleep(_QUIET_S)
        return read(self.file)

    def stop(self) -> None:
        """The end."""
        self.close()
        _end(self._ears)
        self._ears = None

    def _broker_is_up(self) -> bool:
        if self._broker is not None and self._broker.poll() is None:
            return True
        _end(self._broker)
        self._broker = subprocess.Popen(  # noqa: S603
            self._command(),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        until = time.monotonic() + _COMES_UP_WITHIN_S
        while time.monotonic() < until and self._broker.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return True
            time.sleep(_LOOK_S)
        return False

    def _command(self) -> list[str]:
        if not self._mosquitto:
            return [sys.executable, "-m", "task_catalog.company_day.broker", str(self.file), "--port", str(self.port)]
        store = self._folder / "broker"
        store.mkdir(exist_ok=True)
        configuration = self._folder / "mosquitto.conf"
        configuration.write_text(_CONFIGURATION.format(port=self.port, user=getpass.getuser(), folder=store))
        tether = [sys.executable, "-m", "task_catalog.company_day.tether"]
        return [*tether, self._mosquitto, "-c", str(configuration)]

    def _ears_are_up(self) -> bool:
        """The small broker writes down by itself what it hears."""
        if not self._mosquitto or (self._ears is not None and self._ears.poll() is None):
            return True
        _end(self._ears)
        self._ears = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "task_catalog.company_day.ears", str(self.file), "--port", str(self.port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        assert self._ears.stdout is not None  # noqa: S101 - it is a pipe
        return self._ears.stdout.readline().strip() == b"ready"


def _installed() -> str:
    """Where mosquitto is; Debian puts it where an ordinary user's PATH does not look."""
    return shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin") or ""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _end(process: subprocess.Popen[bytes] | None) -> None:
    if process is None:
        return
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(5)
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()
