"""What is read of a process, held against psutil as a second opinion."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import psutil
import pytest

from youtility_tasks.workers import processes

NO_PROCESS = 2**22 + 1
"""Above what Linux gives."""


@pytest.fixture
def sleeper() -> Iterator[int]:
    # Its name ends like the field before the ones that are read.
    with subprocess.Popen(
        [sys.executable, "-c", "open('/proc/self/comm', 'w').write('a) Z 1 (b'); input()"], stdin=-1
    ) as one:
        yield one.pid
        one.kill()


def until_it_is(state: str, pid: int) -> None:
    deadline = time.monotonic() + 10
    while processes.state(pid) != state:
        assert time.monotonic() < deadline, processes.state(pid)
        time.sleep(0.005)


def test_memory_and_time_are_what_psutil_says(sleeper: int) -> None:
    until_it_is("S", sleeper)

    its = psutil.Process(sleeper)
    assert processes.resident_bytes(sleeper) == its.memory_info().rss > 2**20
    assert processes.own_cpu_s(sleeper) == pytest.approx(its.cpu_times().user + its.cpu_times().system, abs=0.02)
    assert processes.cpu_s(sleeper) >= processes.own_cpu_s(sleeper)


def test_one_that_is_stopped_or_has_died_says_so(sleeper: int) -> None:
    until_it_is("S", sleeper)
    os.kill(sleeper, signal.SIGSTOP)
    until_it_is("T", sleeper)
    os.kill(sleeper, signal.SIGKILL)
    until_it_is("Z", sleeper)


def test_time_of_children_counts_once_they_are_reaped() -> None:
    before = processes.cpu_s(os.getpid()) - processes.own_cpu_s(os.getpid())

    subprocess.run([sys.executable, "-c", "for _ in range(3_000_000): pass"], check=True)

    assert processes.cpu_s(os.getpid()) - processes.own_cpu_s(os.getpid()) > before


def test_one_that_is_gone_is_an_error_of_its_own() -> None:
    for ask in (processes.resident_bytes, processes.state, processes.own_cpu_s, processes.cpu_s):
        with pytest.raises(processes.Gone, match=str(NO_PROCESS)):
            ask(NO_PROCESS)
