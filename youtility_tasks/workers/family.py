"""Fork, and see to it that no process outlives the one that needs it."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def fork(body: Callable[[], None], *, die_with_parent: bool = True, told_by: signal.Signals = signal.SIGKILL) -> int:
    """Run `body` in a forked process and return its pid; the process ends when `body` returns.

    It starts with default signal handlers and an empty signal mask, and is sent `told_by` when its parent dies (Linux).
    """
    parent = os.getpid()
    for stream in (sys.stdout, sys.stderr):
        # Gone, or its disk is full: no reason to have no workers.
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, set())
        if die_with_parent:
            _die_with(parent, told_by)
        body()
        status = 0
    except SystemExit as leaving:
        status = leaving.code if isinstance(leaving.code, int) else 1
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)
    return 0


def _die_with(parent: int, told_by: signal.Signals) -> None:
    _prctl(_PR_SET_PDEATHSIG, told_by)
    if os.getppid() != parent:  # it died before we could ask
        os._exit(1)


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(option, value)


def stand_before(elders: int) -> None:
    """Be the kernel's choice for want of memory rather than those above: by so many thousandths of all there is (Linux).

    What is started from here stands there too. After its first victim the kernel may take a second, before the memory is free.
    """
    with contextlib.suppress(OSError, ValueError):
        adjustment = Path("/proc/self/oom_score_adj")
        adjustment.write_text(str(min(1000, int(adjustment.read_text()) + elders)))


def adopt_orphans() -> None:
    """Become the parent of each descendant whose own parent dies, so that `reap` hears of its death too (Linux)."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def reap() -> Iterator[tuple[int, int]]:
    """(pid, wait status) of each child that has died; what it started in its own process group is killed first.

    Nothing that a task started may go on without it. The group's number is safe to use until its leader is reaped.
    """
    while True:
        try:
            dead = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        if dead is None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(dead.si_pid, signal.SIGKILL)
        yield os.waitpid(dead.si_pid, 0)


def leave_stopping_to_the_worker() -> None:
    """Let SIGINT and SIGTERM pass: a terminal or a service manager sends them to everyone, and they are the supervisor's.

    Handlers that do nothing, not SIG_IGN: programs that user code starts would inherit that.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)


def freeze() -> None:
    """Before forking: move what is loaded out of the garbage collector's sight, so that memory stays shared.

    Without a collection before, which would look at 85,000 objects (40 ms of CPU) for the 2,000 that loading has left behind.
    """
    gc.freeze()
