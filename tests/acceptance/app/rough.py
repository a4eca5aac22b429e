"""Tasks that spoil what they share with others: their process, its descriptors, its output."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
import time

from youtility_tasks import Retry, task

from . import diary


@task(tenant="all", retry=Retry(1))
def stops_itself() -> None:
    """As the kernel stops a process in the background that reads from its terminal."""
    diary.write("begin", task="stops_itself")
    os.kill(os.getpid(), signal.SIGSTOP)
    time.sleep(3_600)


@task(tenant="all", retry=Retry(1))
def closes_everything() -> None:
    """As programs do that become daemons; then it opens connections of its own, and keeps them."""
    kept = globals()["_kept"] = socket.socketpair()
    for descriptor in map(int, os.listdir("/proc/self/fd")):
        # At one stroke: between closing and opening, others would see that it is closed.
        if descriptor > 2 and descriptor not in (each.fileno() for each in kept):
            with contextlib.suppress(OSError):
                os.dup2(kept[0].fileno(), descriptor)


def _sleeper() -> int:
    """A program with a session of its own."""
    return subprocess.Popen(["sleep", "3600"], start_new_session=True).pid


@task(tenant="all")
def starts_a_service() -> None:
    diary.write("grandchild", its=_sleeper())


@task(tenant="all", isolated=True)
def leaves_a_program() -> None:
    """In its own process group, and with nothing in its environment that says whose it is."""
    diary.write("grandchild", its=subprocess.Popen(["/bin/sleep", "3600"], env={}).pid)


@task(tenant="all", isolated=True)
def becomes_a_daemon() -> None:
    """Forks twice, with a session of its own between; the daemon starts a program and goes on when the task has ended."""
    reading, writing = os.pipe()
    between = os.fork()
    if between == 0:
        os.setsid()
        if os.fork() == 0:
            diary.write("grandchild", its=os.getpid())
            diary.write("grandchild", its=_sleeper())
            os.write(writing, b".")
            time.sleep(3_600)
        os._exit(0)
    os.waitpid(between, 0)
    os.read(reading, 1)


@task(tenant="all", retry=Retry(1))
def logs_much() -> None:
    """More than a pipe holds."""
    for n in range(1_000):
        logging.getLogger(__name__).warning("logged %s %s", n, "x" * 100)
        sys.stdout.write(f"printed {n}\n")


@task(tenant="all", retry=Retry(1))
def returns_much(*, until: str) -> str:
    """A result near the largest that is stored, and no text that is quick to compress."""
    diary.write("begin", task="returns_much")
    while not os.path.exists(until):
        time.sleep(0.01)
    return os.urandom(100_000).hex()
