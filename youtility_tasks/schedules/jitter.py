"""How much later than its tick a job may start: always the same for a tick, whichever worker looks. Pure."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta


def delay(schedule_id: int, tick: datetime, jitter_s: int) -> timedelta:
    """From nothing up to, and without, `jitter_s` seconds, in milliseconds, spread evenly over schedules and ticks."""
    if jitter_s <= 0:
        return timedelta()
    drawn = hashlib.sha256(f"{schedule_id}:{tick.timestamp():.6f}".encode()).digest()[:8]
    return timedelta(milliseconds=int.from_bytes(drawn) % (jitter_s * 1000))
