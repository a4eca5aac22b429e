"""`Popen` and `run` as those of `subprocess`, for `[sys.executable, "-m", module, ...]`: processes that need not import Django anew.

Hundreds of tests start workers and commands, and to import the libraries costs each of these more than half a second of processor
time. One process has imported them and forks: what it forks has the environment, folder, descriptors and session that are asked
for, imports this project by itself, reads its settings by itself, and is a process of its own. It is nobody's to wait for but that
one's, who tells how it has ended. Where a test is about what a new interpreter does, or wishes what a fork cannot have, the
process is started as ever.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import inspect
import json
import os
import select
import socket
import struct
import subprocess
import sys
import threading
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.warm_mother import ROOM_FOR_WORDS, Wish

_MOTHER = Path(__file__).with_name("warm_mother.py")
_ORDER = inspect.signature(subprocess.Popen._execute_child)
_OF_THE_INTERPRETER = ("PYTHON", "LC_", "LANG", "LD_", "MALLOC_", "PSYCOPG_")
"""Variables that count when a process begins, or imports a library; others are read by the project."""


class Popen(subprocess.Popen[Any]):
    """A process that is forked, where it can be."""

    _told_by: socket.socket | None = None

    def _execute_child(self, *arguments: Any) -> None:
        asked = _ORDER.bind(self, *arguments).arguments
        words, (in_, out, err) = asked["args"], (asked["p2cread"], asked["c2pwrite"], asked["errwrite"])
        fds = [fd if fd != -1 else number for number, fd in enumerate((in_, out, err))]
        env = dict(os.environ if asked["env"] is None else asked["env"])
        if not _can_be_forked(asked, words, env, fds):
            super()._execute_child(*arguments)
            return
        wish = Wish(
            [os.fspath(each) for each in words], os.fspath(asked["cwd"] or Path.cwd()), env, asked["start_new_session"]
        )
        self._told_by = _wished(wish, fds)
        self.pid = _number(self._told_by)
        self._child_created = True
        self._close_pipe_fds(
            *(asked[name] for name in ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite"))
        )

    def _try_wait(self, wait_flags: int) -> tuple[int, int]:
        if self._told_by is None:
            found: tuple[int, int] = super()._try_wait(wait_flags)
            return found
        if wait_flags & os.WNOHANG and not select.select([self._told_by], [], [], 0)[0]:
            return 0, 0
        with self._told_by:
            return self.pid, _number(self._told_by)

    def _internal_poll(self, *arguments: Any, **more: Any) -> int | None:
        if self._told_by is None:
            return super()._internal_poll(*arguments, **more)
        if self.returncode is None and self._waitpid_lock.acquire(False):
            with contextlib.ExitStack() as stack:
                stack.callback(self._waitpid_lock.release)
                pid, status = self._try_wait(os.WNOHANG) if self.returncode is None else (0, 0)
                if pid:
                    self._handle_exitstatus(status)
        return self.returncode


def run(
    words: Any,
    *,
    input: Any = None,
    capture_output: bool = False,
    timeout: float | None = None,
    check: bool = False,
    **how: Any,
) -> subprocess.CompletedProcess[Any]:
    """As `subprocess.run`."""
    if input is not None:
        how["stdin"] = subprocess.PIPE
    if capture_output:
        how["stdout"] = how["stderr"] = subprocess.PIPE
    with Popen(words, **how) as process:
        try:
            said, complained = process.communicate(input, timeout=timeout)
        except BaseException:
            process.kill()
            process.wait()
            raise
    done = subprocess.CompletedProcess(words, process.returncode, said, complained)
    if check:
        done.check_returncode()
    return done


def _can_be_forked(asked: dict[str, Any], words: Any, env: dict[str, str], fds: list[int]) -> bool:
    return (
        hasattr(os, "pidfd_open")
        and not isinstance(words, (str, bytes, os.PathLike))
        and list(words[:2]) == [sys.executable, "-m"]
        and sum(len(os.fsencode(each)) + 1 for each in words) < ROOM_FOR_WORDS
        and not any(asked[name] for name in ("executable", "preexec_fn", "pass_fds", "shell", "gids"))
        and (asked["close_fds"], asked["gid"], asked["uid"], asked["umask"]) == (True, None, None, -1)
        and asked.get("process_group", -1) == -1
        and _of_the_interpreter(env) == _of_the_interpreter(os.environ)
        and not any(map(os.isatty, fds))
    )


def _of_the_interpreter(env: Any) -> dict[str, str]:
    return {key: env[key] for key in env if key.startswith(_OF_THE_INTERPRETER) and key != "PYTHONPATH"}


_lock = threading.Lock()


def _wished(wish: Wish, fds: list[int]) -> socket.socket:
    """By whom it is told first which number the process has, then how it has ended."""
    told, asker = socket.socketpair()
    with _lock, asker:
        socket.send_fds(_mother(), [b"!"], [asker.fileno(), *fds])
        text = json.dumps(asdict(wish)).encode()
        told.sendall(struct.pack("I", len(text)) + text)
    return told


@functools.cache
def _mother() -> socket.socket:
    """To the process that forks; it ends when this one does."""
    here, there = socket.socketpair()
    with there:
        process = subprocess.Popen(
            [sys.executable, _MOTHER, str(there.fileno()), " " * ROOM_FOR_WORDS],
            pass_fds=[there.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )

    owner = os.getpid()

    def let_go() -> None:
        if os.getpid() != owner:
            return
        here.close()
        process.wait()

    atexit.register(let_go)
    return here


def _number(told: socket.socket) -> int:
    data = told.recv(4, socket.MSG_WAITALL)
    if len(data) < 4:
        raise ChildProcessError("the process that forks for tests (tests/warm_mother.py) is gone")
    number: int = struct.unpack("i", data)[0]
    return number
