"""Old media go to the bucket."""

from __future__ import annotations

from typing import Any

from task_catalog.not_yet_built import NotYetBuiltGuard
from youtility_tasks import NotYetBuilt, Retry, queues, task


@task(
    name="move_media_to_cloud_storage",
    queue_name=queues.MAINTENANCE,
    priority=9,
    retry=Retry(4, base=900, factor=2, cap=7200),
    timeout_s=3600,
    lock="move_media",
    tenant="all",
    schedule="0 0 * * 1",
    seed_class="low",
    guard=NotYetBuiltGuard("move_media_to_cloud_storage"),
)
def move_media_to_cloud_storage(*, skip_days: int = 60, limit: int | None = None) -> dict[str, Any]:
    """Move files older than `skip_days` days to the bucket, at most `limit`; then remove folders left empty (R-MED).

    A local file is deleted only after its blob was verified.

    Second attempt: a file whose blob is there with the same checksum is only deleted.
    """
    raise NotYetBuilt("move_media_to_cloud_storage")
