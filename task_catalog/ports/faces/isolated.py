"""A verifier whose engine runs in a process of its own: a crash, a hang or a gigabyte costs that process and one answer.

The process is started with the first question, keeps its model between questions and is replaced after
`TASK_CATALOG["face_calls"]` of them, after a crash, and when it took too long. It ends with the process that asks, and when
nobody has asked for ten minutes.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, ClassVar

from task_catalog.conf import catalog
from youtility_tasks import Transient

from . import NoFace, Unreadable, process

_LOOK_EVERY_S = 0.25
"""How often a wait gives way to the soft time limit, which reaches Python between two instructions only."""
_BEFORE_IT_LEAVES_S = 30


class IsolatedVerifier:
    """The base of verifiers that are not trusted with the worker's process; `engine` is `module:Class`.

    An engine is made once in its process, with no arguments, and asked `compare(reference, probe)` for paths: it returns
    the distance, or raises `process.NoFaceIn` or `process.UnreadableFile`.
    """

    model: ClassVar[str]
    metric: ClassVar[str]
    threshold: ClassVar[float]
    engine: ClassVar[str]
    needs: ClassVar[tuple[str, ...]] = ()
    """Modules that the engine imports."""
    to_install: ClassVar[str] = ""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._process: _Process | None = None
        os.register_at_fork(after_in_child=self._begin_anew)

    @classmethod
    def flaw(cls) -> str | None:
        """What keeps it from working at all, for `manage.py check`."""
        missing = [module for module in cls.needs if importlib.util.find_spec(module) is None]
        return f"{', '.join(missing)} cannot be imported: {cls.to_install}" if missing else None

    def verify(self, reference: Path, probe: Path, *, timeout_s: float) -> float | NoFace:
        deadline = time.monotonic() + timeout_s
        if not self._guard.acquire(timeout=timeout_s):
            raise Transient(f"Nobody looked at the photos within {timeout_s:g} s: others are still being looked at.")
        try:
            answer = self._ask(reference, probe, deadline)
        finally:
            self._guard.release()
        return self._understood(answer)

    def end(self) -> None:
        """End the process; the next question starts another."""
        with self._guard:
            self._replace()

    def _ask(self, reference: Path, probe: Path, deadline: float) -> dict[str, Any]:
        if self._process is not None and not self._process.is_fit:
            self._replace()
        if self._process is None:
            self._process = _Process(self.engine, catalog().face_memory_mb, catalog().face_calls)
        try:
            return self._process.ask(str(reference), str(probe), deadline)
        except BaseException:
            self._replace()  # whatever it is at, its next answer would not be to the next question
            raise

    def _replace(self) -> None:
        former, self._process = self._process, None
        if former is not None:
            former.end()

    def _understood(self, answer: dict[str, Any]) -> float | NoFace:
        match answer:
            case {"distance": float() | int() as distance}:
                return float(distance)
            case {"no_face": ("reference" | "probe") as picture}:
                return NoFace(picture)
            case {"unreadable": ("reference" | "probe") as picture, "why": str(why)}:
                raise Unreadable(picture, why)
            case {"missing": str(why)}:
                raise Transient(f"The face model is missing: {why}. {self.to_install}")
            case {"error": str(why)}:
                raise Transient(f"The photos could not be compared: {why}")
        raise Transient(f"The process that compares photos said {answer!r:.200}.")

    def _begin_anew(self) -> None:
        """In a forked process: the other process answers the parent, and the lock may be held for ever."""
        self._guard = threading.Lock()
        if self._process is not None:
            self._process.forget()
        self._process = None


class _Process:
    """One process that holds an engine."""

    def __init__(self, engine: str, memory_mb: int, calls: int) -> None:
        self._calls_left = calls
        self._asked_at = time.monotonic()
        self._line, theirs = socket.socketpair()
        with theirs:
            self._popen = subprocess.Popen(  # noqa: S603 - this very interpreter, with names of our own
                [sys.executable, "-m", f"{__package__}.process", engine, str(theirs.fileno()), str(memory_mb)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                env={**os.environ, "PYTHONPATH": os.pathsep.join(each for each in sys.path if each)},
            )

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def is_fit(self) -> bool:
        is_about_to_leave = time.monotonic() - self._asked_at > process.LEAVES_AFTER_S - _BEFORE_IT_LEAVES_S
        return self._calls_left > 0 and not is_about_to_leave and self._popen.poll() is None

    def ask(self, reference: str, probe: str, deadline: float) -> dict[str, Any]:
        """Its answer. Raises Transient when it dies, says nonsense or is not done by then."""
        self._calls_left -= 1
        self._asked_at = time.monotonic()
        asked = {"reference": reference, "probe": probe, "timeout_s": max(0.0, deadline - time.monotonic())}
        received = b""
        try:
            self._line.sendall(json.dumps(asked).encode() + b"\n")
            while not received.endswith(b"\n"):
                if time.monotonic() >= deadline:
                    raise Transient("Comparing the photos took too long; its process was ended.")
                if select.select([self._line], [], [], _LOOK_EVERY_S)[0]:
                    more = self._line.recv(65_536)
                    if not more:
                        raise Transient(f"The process that compared the photos {self._how_it_died()}.")
                    received += more
        except OSError as error:
            raise Transient(f"The process that compared the photos {self._how_it_died()}.") from error
        answer: dict[str, Any] = json.loads(received)
        return answer

    def end(self) -> None:
        self._line.close()
        self._popen.kill()
        self._popen.wait()

    def forget(self) -> None:
        """In a forked process: it is the parent's child, not ours."""
        self._line.close()
        self._popen.returncode = 0  # so that nobody here waits for it

    def _how_it_died(self) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = self._popen.wait(5)
            return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"left with status {code}"
        return "hung up"
