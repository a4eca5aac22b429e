"""How many jobs are newer than those that a page shows."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from . import queries
from .status import JobStatus

COUNTED_UP_TO = 100


def count(
    newest_id: int,
    *,
    since: datetime,
    tenant_id: int | None = None,
    queue_name: str | None = None,
    task_names: Collection[str] = (),
    statuses: Collection[JobStatus] = (),
) -> int:
    """How many jobs, up to COUNTED_UP_TO, have larger ids than this one: in the queue, or ended since then. One statement."""
    given = {
        "newest_id": newest_id,
        "since": since,
        "tenant_id": tenant_id,
        "queue_name": queue_name,
        "task_names": list(task_names) or None,
        "statuses": [each.value for each in statuses] or None,
        "most": COUNTED_UP_TO,
    }
    ((found,),) = queries.fetch("count_newer_jobs", given)
    return int(found)
