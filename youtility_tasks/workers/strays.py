"""What a task has started outside its child's process group: daemons, programs with a session of their own.

The nursery is the parent of all of them once those between are dead (Linux), and they carry the mark of the child that they come
from: programs in their environment, forks in their memory, where the child's board is.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections import deque
from pathlib import Path

VARIABLE = "YOUTILITY_TASKS_CHILD"
_LAST_DEAD = 256
_LOOK_AFTER_S = 0.2
"""One look for all that die within this time."""
_LONGEST_END_S = 0.5
_GLANCE_S = 0.01


class Strays:
    """In a nursery: its living children, and what the dead ones have left behind."""

    def __init__(self) -> None:
        self.alive: dict[int, int] = {}
        """Child -> inode of its board."""
        self._dead: deque[tuple[int, int]] = deque(maxlen=_LAST_DEAD)
        self._look_at: float | None = None
        """Monotonic seconds of the next look through all processes, which takes some milliseconds; None if nobody has died."""

    def born(self, pid: int, board: int) -> None:
        """A child of ours lives."""
        self.alive[pid] = board

    def died(self, pid: int) -> bool:
        """A process that we are the parent of is dead and reaped; whether it was a child of ours."""
        self._look_at = self._look_at or time.monotonic() + _LOOK_AFTER_S
        board = self.alive.pop(pid, None)
        if board is not None:
            self._dead.append((pid, board))
        return board is not None

    def patience_s(self) -> float | None:
        """Seconds until `kill_left` has something to do; None while nobody has died."""
        return None if self._look_at is None else max(0.0, self._look_at - time.monotonic())

    def kill_left(self) -> None:
        """Kill what the children that are dead have started. What it has started itself comes to us then, and its turn with it."""
        if self.patience_s() != 0:
            return
        self._look_at = None
        strays = [pid for pid in _children() if pid not in self.alive]
        boards = {board for _, board in self._dead} - set(self.alive.values())
        for pid in strays:
            if any(_has_mark(pid, *child) for child in self._dead) or _maps_one_of(pid, boards):
                _kill(pid)

    def kill_all(self) -> None:
        """As we leave: kill all that is below us, for a moment. What was below them comes to us, and is met by the next look."""
        give_up = time.monotonic() + _LONGEST_END_S
        while (below := _children()) and time.monotonic() < give_up:
            for pid in below:
                _kill(pid)
            time.sleep(_GLANCE_S)
            with contextlib.suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass


def mark(board: int) -> None:
    """In a child: let the programs that it starts be known as its own."""
    os.environ[VARIABLE] = _text(os.getpid(), board)


def _text(pid: int, board: int) -> str:
    return f"{pid}.{board}"


def _has_mark(pid: int, child: int, board: int) -> bool:
    with contextlib.suppress(OSError):
        return f"{VARIABLE}={_text(child, board)}".encode() in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return False


def _maps_one_of(pid: int, boards: set[int]) -> bool:
    with contextlib.suppress(OSError):
        mapped = (line.split() for line in Path(f"/proc/{pid}/maps").read_text(errors="replace").splitlines())
        return any(len(fields) > 4 and fields[1].endswith("s") and int(fields[4]) in boards for fields in mapped)
    return False


def _children() -> list[int]:
    us, found = str(os.getpid()).encode(), []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError):
                fd = os.open(f"/proc/{entry}/stat", os.O_RDONLY)
                try:
                    said = os.read(fd, 512)
                finally:
                    os.close(fd)
                if said.rpartition(b")")[2].split(None, 2)[1] == us:
                    found.append(int(entry))
    return found


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)
