"""A page of memory that a worker and one of its children share: which jobs run this moment, and until when they may.

Messages say what was given and what has ended; only the page still speaks for a child that died between the two. So a
crash is blamed on the jobs that were running, never on those that waited behind them.
"""

from __future__ import annotations

import math
import mmap
import os
import struct
import tempfile
import time

_DEADLINE = struct.Struct("=d")
_PLACE = struct.Struct("=q")
_GAVE_UP_AT = _DEADLINE.size
_PLACES_AT = _GAVE_UP_AT + _PLACE.size
_SIZE = 4 * mmap.PAGESIZE
PLACES = (_SIZE - _PLACES_AT) // _PLACE.size
"""How many jobs can be on the board at once."""


class Board:
    """Made by the worker, passed on as `fd` when the child is forked; single numbers are written, so no lock is needed."""

    def __init__(self, fd: int) -> None:
        self._page = mmap.mmap(fd, _SIZE)
        self._free = list(range(PLACES - 1, -1, -1))

    @classmethod
    def make(cls) -> tuple[Board, int]:
        """A blank board and its file descriptor, which the caller closes."""
        with tempfile.TemporaryFile() as file:
            file.truncate(_SIZE)
            fd = os.dup(file.fileno())
        return cls(fd), fd

    # -- the child's side

    def start(self, job_id: int) -> int:
        """Note that a job runs from now; the place to give to `end`."""
        place = self._free.pop()
        _PLACE.pack_into(self._page, _PLACES_AT + place * _PLACE.size, job_id)
        return place

    def end(self, place: int) -> None:
        """Note that it runs no more."""
        _PLACE.pack_into(self._page, _PLACES_AT + place * _PLACE.size, 0)
        self._free.append(place)

    def lease_is_over(self) -> bool:
        """Whether the worker has not renewed its lease for so long that others may run what this child runs."""
        return self.lease_left_s() < 0

    def lease_left_s(self) -> float:
        """Until then; without end while the worker has no lease yet."""
        deadline: float = _DEADLINE.unpack_from(self._page)[0]
        return deadline - time.monotonic() if deadline > 0 else math.inf

    def give_up(self) -> None:
        """Note that the child ends itself because the lease is over."""
        _PLACE.pack_into(self._page, _GAVE_UP_AT, 1)

    # -- the worker's side

    def has_given_up(self) -> bool:
        """Whether the child ended itself; the worker may have renewed its lease since."""
        return bool(_PLACE.unpack_from(self._page, _GAVE_UP_AT)[0])

    def extend(self, deadline: float) -> None:
        """The lease holds until `deadline`, in monotonic seconds, which are the same in all processes of a host."""
        _DEADLINE.pack_into(self._page, 0, deadline)

    def running(self) -> set[int]:
        """The jobs that run now, or ran when the child died."""
        numbers = struct.unpack_from(f"={PLACES}q", self._page, _PLACES_AT)
        return {number for number in numbers if number}

    def close(self) -> None:
        """Let go of the page; the child's own map of it lives on."""
        self._page.close()
