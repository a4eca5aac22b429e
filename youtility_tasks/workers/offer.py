"""An idle worker's offer: whoever enqueues a job hands it over as he commits, and it need not be claimed (decision 174)."""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import dataclass
from typing import Any

from youtility_tasks.conf import settings

from .link import Link

REST_S = 10.0
_FRESH_HEARTBEATS = 2
"""A worker whose last renewal is longer ago than so many of them take may be frozen, and is handed nothing."""


@dataclass(frozen=True, slots=True)
class Handed:
    """A job that came with a notification: as a claim has it, and as `traced.ask` would have told of it."""

    worker_id: int
    row: tuple[Any, ...]
    trace: tuple[Any, ...]


def read(letter: str) -> Handed:
    """What `youtility_tasks_hand_over_v1` has written of a job."""
    header, _, args = letter.partition("\n")
    found = json.loads(header)
    row = (None, None, None, *found[1:3], args, *found[3:7], False, found[7])
    return Handed(found[0], row, (*found[8:], time.time()))


class Offer:
    """Of one worker. It holds for a registration and a connection; without it the worker claims like any other."""

    def __init__(self, queue_name: str, slots: int) -> None:
        self.channel = f"youtility_tasks_{secrets.token_hex(16)}"
        """Where jobs are handed over. Who knows it could have anything run, and read what others hand over: it is told to the database alone."""
        self._queue_name, self._slots = queue_name, slots
        self._made: tuple[int, int | None] | None = None
        self._rests_until = 0.0

    def rest(self) -> None:
        """Hand-overs take long, which is paid by who enqueues: for a while there shall be none."""
        self._rests_until = time.monotonic() + REST_S

    async def keep(self, link: Link, worker_id: int | None, *, takes: bool) -> None:
        """Let it stand while the worker takes jobs and does not rest, and be withdrawn when that is over. Raises LinkDown."""
        takes = takes and time.monotonic() >= self._rests_until
        if takes and self._made != (link.opened, worker_id):
            async with link.turn:
                await link.ask(
                    "offer",
                    worker_id=worker_id,
                    queue_name=self._queue_name,
                    slots=self._slots,
                    channel=self.channel,
                    fresh_s=_FRESH_HEARTBEATS * settings().heartbeat_interval_s,
                )
                self._made = (link.opened, worker_id)
        elif not takes and self._made is not None:
            async with link.turn:
                await link.ask("withdraw", worker_id=worker_id)
                self._made = None
