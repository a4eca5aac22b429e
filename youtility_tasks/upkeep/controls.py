"""Takes controls away that keep nothing back, and frees jobs that are parked under one which somebody deleted by hand."""

from __future__ import annotations

from datetime import datetime

from youtility_tasks import queries

BATCH = 5_000
"""Jobs freed by one statement."""


def forget_idle(now: datetime) -> int:
    """Delete the controls that keep nothing back and have no job parked under them; how many. Many may call it at once."""
    idle = queries.fetch("idle_controls", {})
    return sum(queries.fetch("forget_control", {"control_id": control_id}) == [(True,)] for (control_id,) in idle)


def free_orphans(now: datetime) -> int:
    """Let jobs wait in the open again that are parked under a control that is gone; how many."""
    freed = 0
    for queue_name, control_id, _ in queries.fetch("orphans", {"most": 1}):
        count = BATCH
        while count == BATCH:
            under = {"queue_name": queue_name, "control_id": control_id, "most": BATCH}
            ((count,),) = queries.fetch("unpark", under)
            freed += count
    return freed
