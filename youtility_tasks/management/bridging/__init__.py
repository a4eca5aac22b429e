"""The verbs of `celery_bridge`, one a module: its words, calls to the bridge, and how the answer is shown."""

from __future__ import annotations

from youtility_tasks.management.verbs import Verbs

VERBS = Verbs(__name__, ("status", "route", "rollback", "move", "adopt", "results", "parity", "verify"))
