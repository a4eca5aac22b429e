"""All of the queue on one screen of a terminal: `manage_task_queue monitor`.

`desk` asks the house, on a thread and a connection of its own; `rows` makes lines of the answers; `app`, `tables` and `dialogs` are
what textual shows. No statement of SQL is here, and without textual only `desk` and `rows` are imported.
"""

from __future__ import annotations

import importlib.util
import sys

from youtility_tasks.errors import ExtraMissing, Refused

from . import desk, rows

__all__ = ["desk", "rows", "run"]


def run(tenant_id: int | None, *, interval_s: float = 2.0) -> None:
    """Show it until somebody quits. Raises ExtraMissing without textual, Refused where nobody looks."""
    if importlib.util.find_spec("textual") is None:
        raise ExtraMissing("monitor", "textual", "`manage_task_queue monitor --once` shows it once without.")
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise Refused(
            "The monitor needs a terminal, and stdin or stdout is none. `monitor --once` prints it, --json for programs."
        )
    from .app import Monitor  # it imports textual, which only the extra brings

    with desk.Desk(tenant_id) as asks:
        Monitor(asks, interval_s=interval_s).run()
