"""Rows that devices send in batches: tracks, device health, files' data."""

from __future__ import annotations

from typing import Any

from task_catalog.not_yet_built import NotYetBuiltGuard
from youtility_tasks import NotYetBuilt, Retry, queues, task


@task(
    name="insert_json_records_async",
    queue_name=queues.MAINTENANCE,
    priority=4,
    retry=Retry(6, base=60, factor=2, cap=900),
    timeout_s=120,
    seed_class="low",
    guard=NotYetBuiltGuard("insert_json_records_async"),
)
def insert_json_records_async(*, records: list[str], tablename: str) -> dict[str, Any]:
    """Store a batch of a device's rows in one of the tables it may write to; each record is JSON text (R-GQL).

    A record that cannot be read is listed in the result and the rest is stored.

    Second attempt: rows are upserted by `uuid`, so the same rows are there.
    """
    raise NotYetBuilt("insert_json_records_async")
