"""How a supervisor knows that a worker's heartbeat goes round: a page of memory that both see."""

from __future__ import annotations

import mmap
import struct
import time

_BEAT = struct.Struct("=d")
_REGISTERED = struct.Struct("=q")


class Pulse:
    """Of one queue's worker, whichever process that is now; made before the fork.

    It beats with every turn of the heartbeat, whether the database answered or not: one that is away is not brought back by
    starting workers anew, and what they hold would be lost. Single numbers are written, so no lock is needed.
    """

    def __init__(self) -> None:
        self._page = mmap.mmap(-1, mmap.PAGESIZE)
        self.beat()

    def beat(self) -> None:
        """In the worker: one more turn."""
        _BEAT.pack_into(self._page, 0, time.monotonic())

    def note_registration(self) -> None:
        """In the worker: the database knows it, so it serves."""
        _REGISTERED.pack_into(self._page, _BEAT.size, 1)
        self.beat()

    def has_registered(self) -> bool:
        """In the supervisor: whether a worker of this queue has ever served."""
        return bool(_REGISTERED.unpack_from(self._page, _BEAT.size)[0])

    def silent_s(self) -> float:
        """In the supervisor: seconds since the last beat. Monotonic time is the same in all processes of a host."""
        last: float = _BEAT.unpack_from(self._page)[0]
        return time.monotonic() - last
