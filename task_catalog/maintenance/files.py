"""Report files that nobody fetched are deleted."""

from __future__ import annotations

from typing import Any

from task_catalog.not_yet_built import NotYetBuiltGuard
from youtility_tasks import NotYetBuilt, Retry, queues, task


@task(
    name="cleanup_reports_which_are_12hrs_old",
    queue_name=queues.MAINTENANCE,
    priority=8,
    retry=Retry(3, base=300, factor=2, cap=1800),
    timeout_s=300,
    tenant="all",
    schedule="15 * * * *",
    seed_class="low",
    guard=NotYetBuiltGuard("cleanup_reports_which_are_12hrs_old"),
)
def cleanup_reports_which_are_12hrs_old(*, dir_path: str | None = None, hours_old: int = 12) -> dict[str, Any]:
    """Delete files older than `hours_old` hours below a report folder, except those that still wait to be mailed.

    `dir_path` must be one of the configured report folders; without it, as the schedule calls it, the on-demand one.

    Second attempt: finds only what is still there.
    """
    raise NotYetBuilt("cleanup_reports_which_are_12hrs_old")
