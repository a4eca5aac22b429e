"""The numbers of the queues now, and of the attempts that ended; percentiles are computed only here.

`series` and `summary` read what upkeep has added up by minute and hour, and from the history what it has not come to yet.
"""

from __future__ import annotations

import importlib
from datetime import timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .present import (
        LastError,
        QueueNumbers,
        database_clock,
        glance,
        glance_by_tenant,
        last_errors,
        of_all,
        queue_numbers,
    )
    from .reading import GROUPS, GroupBy, Numbers, Point, Summary, last_hour, series, summary

__all__ = [
    "GROUPS",
    "HOUR",
    "HOUR_S",
    "MINUTE_S",
    "GroupBy",
    "LastError",
    "Numbers",
    "Point",
    "QueueNumbers",
    "Summary",
    "database_clock",
    "glance",
    "glance_by_tenant",
    "last_errors",
    "last_hour",
    "of_all",
    "queue_numbers",
    "series",
    "summary",
]

MINUTE_S, HOUR_S = 60, 3_600
HOUR = timedelta(seconds=HOUR_S)
_OF_NOW = {
    "LastError",
    "QueueNumbers",
    "database_clock",
    "glance",
    "glance_by_tenant",
    "last_errors",
    "of_all",
    "queue_numbers",
}


def __getattr__(name: str) -> Any:
    # As at the front door: a worker keeps these numbers, and reads none.
    if name in __all__:
        return getattr(importlib.import_module(".present" if name in _OF_NOW else ".reading", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
