"""For our users' tests: run what was enqueued, here and now, at a time of the test's choosing. The house never imports it.

Everything runs in the test's own process, thread and transaction, so it works in Django's `TestCase`: jobs go the workers' way
(claim, run, decide, finish, history) with the workers' own statements, only without processes. `TESTING.md` has recipes.
`plugin.py` are the same things as fixtures of pytest.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .at_once import inline
    from .clock import Clock, frozen
    from .drain import run_jobs
    from .flows import Driven, drive
    from .passing import pass_time
    from .ticks import Due, run_due, would_fire
    from .waiting import arguments, assert_enqueued, assert_not_enqueued, empty_queue, enqueued, enqueued_jobs

_HOME = {
    "Clock": "clock",
    "frozen": "clock",
    "run_jobs": "drain",
    "Driven": "flows",
    "drive": "flows",
    "inline": "at_once",
    "pass_time": "passing",
    "Due": "ticks",
    "run_due": "ticks",
    "would_fire": "ticks",
    "arguments": "waiting",
    "assert_enqueued": "waiting",
    "assert_not_enqueued": "waiting",
    "empty_queue": "waiting",
    "enqueued": "waiting",
    "enqueued_jobs": "waiting",
}

__all__ = [
    "Clock",
    "Driven",
    "Due",
    "arguments",
    "assert_enqueued",
    "assert_not_enqueued",
    "drive",
    "empty_queue",
    "enqueued",
    "enqueued_jobs",
    "frozen",
    "inline",
    "pass_time",
    "run_due",
    "run_jobs",
    "would_fire",
]


def __getattr__(name: str) -> Any:
    # As at the front door: pytest loads the plugin, and with it this package, before Django is set up.
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
    globals()[name] = found
    return found
