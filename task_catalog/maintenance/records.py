"""insert_json_records_async (T29): stores the rows that devices send in batches: tracks, device health, files' data."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from task_catalog.arguments import task
from task_catalog.mobile import batches
from task_catalog.mobile.mine import Mine
from task_catalog.mobile.tables import IN_BATCHES, table_of
from task_catalog.ports import clock
from youtility_tasks import BadInput, Retry, current_tenant, queues


@task(
    name="insert_json_records_async",
    queue_name=queues.MAINTENANCE,
    priority=4,
    retry=Retry(6, base=60, factor=2, cap=900),
    timeout_s=120,
    seed_class="low",
)
def insert_json_records_async(*, records: list[Any], tablename: str) -> dict[str, Any]:
    """Store a batch of a device's rows in one of the tables it may write to; each record is JSON text (R-GQL).

    A record that cannot be read is listed in the result and the rest is stored.

    Second attempt: rows are upserted by `uuid`, so the same rows are there.
    """
    table = table_of(tablename, IN_BATCHES)
    client_id = current_tenant()
    if not isinstance(records, list) or not records or client_id is None:
        raise BadInput(
            f"insert_json_records_async: records are {records!r:.60}; right is a list with at least one record."
        )
    with transaction.atomic():
        told = batches.store(table, records, Mine(client_id), now=clock.now())
    if told.stored == 0:
        first = told.rejected[0]
        raise BadInput(
            f"insert_json_records_async: none of {len(records)} records for {table.name} could be stored; "
            f"record {first.index}: {first.reason}."
        )
    return {
        "status": "partial" if told.rejected else "ok",
        "warnings": told.warnings(),
        "table": table.name,
        "inserted": told.inserted,
        "updated": told.updated,
        "rejected": told.as_json(),
    }
