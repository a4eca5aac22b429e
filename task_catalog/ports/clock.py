"""What time it is for the rules.

Every business instant (is it due? when was it changed?) comes from `now()`, so that a day can be played faster than it
passes. Time in the queue is not asked here: that is the database's clock.
"""

from __future__ import annotations

import functools
from datetime import UTC, datetime
from typing import Protocol

from django.utils.module_loading import import_string

from task_catalog.conf import catalog


class Clock(Protocol):
    """Something that knows the time."""

    def now(self) -> datetime:
        """The present instant, aware and in UTC."""
        ...


class SystemClock:
    """The machine's clock; what `TASK_CATALOG["clock"]` names unless told otherwise."""

    def now(self) -> datetime:
        return datetime.now(UTC)


def now() -> datetime:
    """The present instant by the clock that `TASK_CATALOG["clock"]` names, aware and in UTC."""
    return _clock(catalog().clock).now().astimezone(UTC)


@functools.cache
def _clock(path: str) -> Clock:
    clock: Clock = import_string(path)()
    return clock
