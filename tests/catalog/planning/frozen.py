"""A clock that stands still, for TASK_CATALOG["clock"]."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import ClassVar


class FrozenClock:
    """Shows `instant` until a test sets another."""

    instant: ClassVar[datetime] = datetime(2025, 3, 3, tzinfo=UTC)

    def now(self) -> datetime:
        return type(self).instant
