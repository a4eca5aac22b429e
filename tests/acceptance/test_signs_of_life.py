"""What systemd and probes hear of real workers: ready, alive while heartbeats go round, and that they leave."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.acceptance.crew import Crew, Supervisor, until

PATIENCE_S = 1.0


class Listener:
    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.setblocking(False)
        self.lines: list[str] = []

    def hears(self, line: str) -> bool:
        """Whether that line has come since `forget`."""
        try:
            while True:
                self.lines += self.socket.recv(4096).decode().split("\n")
        except BlockingIOError:
            return line in self.lines

    def forget(self) -> None:
        self.hears("")
        self.lines.clear()


@pytest.fixture
def listener(crew: Crew, tmp_path: Path) -> Iterator[Listener]:
    made = Listener(tmp_path / "notify")
    crew.env = {**crew.env, "NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": str(int(PATIENCE_S * 1e6))}
    yield made
    made.socket.close()


def freeze_the_worker(crew: Crew, supervisor: Supervisor) -> int:
    ((_, pid),) = crew.queue.workers()
    assert pid != supervisor.pid
    os.kill(pid, signal.SIGSTOP)
    until(lambda: psutil.Process(pid).status() == psutil.STATUS_STOPPED)
    return pid


def test_signs_of_life_come_while_the_heartbeat_goes_round(crew: Crew, listener: Listener, tmp_path: Path) -> None:
    alive = tmp_path / "alive"
    supervisor = crew.start("--alive-file", str(alive))
    until(lambda: listener.hears("READY=1"))
    until(lambda: listener.hears("WATCHDOG=1") and alive.exists())

    pid = freeze_the_worker(crew, supervisor)
    listener.forget()  # a machine that is busy may have let it seem silent before
    until(lambda: listener.hears("STATUS=no heartbeat of maintenance"), why="it is told which worker is silent")
    listener.forget()
    os.utime(alive, (0, 0))
    until(lambda: listener.hears("STATUS=no heartbeat of maintenance"), why="it goes on saying so")
    assert not listener.hears("WATCHDOG=1")
    assert alive.stat().st_mtime == 0

    os.kill(pid, signal.SIGCONT)
    until(lambda: listener.hears("WATCHDOG=1") and alive.stat().st_mtime > 0, why="it lives again")
    supervisor.signal(signal.SIGTERM)
    assert supervisor.wait() == 0
    assert listener.hears("STOPPING=1")
