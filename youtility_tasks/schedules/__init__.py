"""Rules that make jobs again and again: when a schedule is due, and one job for each tick however many workers look.

::

    from youtility_tasks import schedules, tenant

    with tenant(7):
        schedules.create("month's report", "create_save_report_async", args={...}, cron="0 18 * * *", days="last_working_day")
        schedules.pause("month's report", minutes=90, reason="the printer is away")
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import holidays
    from .editing import change, create, get, listing, occurrences, pause, remove, resume, run_now
    from .upcoming import preview, preview_new

__all__ = [
    "change",
    "create",
    "get",
    "holidays",
    "listing",
    "occurrences",
    "pause",
    "preview",
    "preview_new",
    "remove",
    "resume",
    "run_now",
]

_PREVIEWS = {"preview", "preview_new"}


def __getattr__(name: str) -> Any:
    # As at the front door: the clock is pure, and is imported without models.
    if name == "holidays":
        return importlib.import_module(".holidays", __name__)
    if name in __all__:
        return getattr(importlib.import_module(".upcoming" if name in _PREVIEWS else ".editing", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
