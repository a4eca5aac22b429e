"""What is tethered does not outlive its starter."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress

import psutil
import pytest

SLEEPER = "import time; print('up', flush=True); time.sleep(600)"


@pytest.fixture
def tethered() -> Iterator[tuple[subprocess.Popen[bytes], psutil.Process]]:
    """The tether, and the command that it runs."""
    tether = subprocess.Popen(
        [sys.executable, "-m", "task_catalog.company_day.tether", sys.executable, "-c", SLEEPER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert tether.stdin is not None
    assert tether.stdout is not None
    assert tether.stdout.readline() == b"up\n"
    (command,) = psutil.Process(tether.pid).children()
    yield tether, command
    for process in (tether, command):
        with suppress(psutil.Error, ProcessLookupError):
            process.kill()
    tether.wait()
    for stream in (tether.stdin, tether.stdout):
        with suppress(OSError):
            stream.close()


def gone(process: psutil.Process) -> bool:
    limit = time.monotonic() + 10
    while time.monotonic() < limit:
        with suppress(psutil.Error):
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                time.sleep(0.01)
                continue
        return True
    return False


def test_the_command_dies_when_its_starter_is_gone(tethered):
    tether, command = tethered

    tether.stdin.close()

    assert tether.wait(10) == -signal.SIGKILL
    assert gone(command)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent has died")
def test_the_command_dies_with_the_tether_itself(tethered):
    tether, command = tethered

    tether.kill()

    assert gone(command)


def test_sigterm_is_passed_on(tethered):
    tether, command = tethered

    tether.terminate()

    assert tether.wait(10) != 0
    assert gone(command)
