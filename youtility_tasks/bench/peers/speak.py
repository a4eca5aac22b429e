"""How a client program is told what to do: one JSON object a line on stdin, one answer a line on stdout. Standard library only."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any, Protocol

ARGUMENTS: dict[str, Any] = {"a": 1, "b": "two", "c": [3]}
"""What every no-op job carries."""


class Side(Protocol):
    """One system as its user sees it. `one`, `many` and `mark` return when the jobs are durable."""

    def one(self) -> None: ...
    def many(self, n: int) -> None: ...
    def mark(self, path: str, sent: float) -> None: ...
    def at_once(self) -> contextlib.AbstractContextManager[Any]: ...
    def left(self) -> int: ...
    def clear(self) -> None: ...
    def versions(self) -> dict[str, str]: ...


def note(path: str, sent: float) -> None:
    """The body of the task `mark`: write down when its first line ran."""
    started = time.time()
    with open(path, "a", encoding="ascii") as diary:
        diary.write(f"{sent!r} {started!r}\n")


def serve(side: Side) -> None:
    """Answer until stdin ends. What anything else prints goes to stderr."""
    answers = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)
    for line in sys.stdin:
        asked = json.loads(line)
        answer = _VERBS[asked.pop("do")](side, **asked)
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def _single(side: Side, n: int, in_transaction: bool) -> dict[str, Any]:
    took = []
    for _ in range(n):
        before = time.perf_counter()
        with side.at_once() if in_transaction else contextlib.nullcontext():
            side.one()
        took.append(1e3 * (time.perf_counter() - before))
    return {"ms": took}


def _bulk(side: Side, n: int, batch: int) -> dict[str, Any]:
    before = time.perf_counter()
    for start in range(0, n, batch):
        side.many(min(batch, n - start))
    return {"seconds": time.perf_counter() - before}


def _backlog(side: Side, n: int, path: str) -> dict[str, Any]:
    """A backlog that workers see all at one moment; its last job is a mark."""
    with side.at_once():
        for start in range(0, n, 1000):
            side.many(min(1000, n - start))
        side.mark(path, time.time())
        released = time.time()
    return {"released": released}


def _pickup(side: Side, n: int, path: str, pause_s: float) -> dict[str, Any]:
    for k in range(n):
        time.sleep(pause_s * (1 + (k % 7) / 7))  # no beat that a poll could fall into
        side.mark(path, time.time())
    return {}


def _left(side: Side) -> int:
    return side.left()


def _clear(side: Side) -> None:
    side.clear()


def _versions(side: Side) -> dict[str, str]:
    return side.versions()


_VERBS: dict[str, Callable[..., Any]] = {
    "single": _single,
    "bulk": _bulk,
    "backlog": _backlog,
    "pickup": _pickup,
    "left": _left,
    "clear": _clear,
    "versions": _versions,
}
