"""insertRecord: rows of any table that devices may write to, and what follows from a punch and from a ticket."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from task_catalog.mobile import crises, files, ticketing, visits
from task_catalog.mobile.context import Context, Output
from task_catalog.mobile.reading import Rejected, Row, read_all, refuse
from task_catalog.mobile.storing import Stored, change, upsert
from task_catalog.mobile.tables import TABLES, Table, table_of
from task_catalog.rules import records as rules
from task_catalog.rules.records import Flaw
from youtility_tasks import BadInput

NOT_USABLE = "its uuid cannot be used here; draw another one if the row is new"


def insert_records(context: Context, records: Sequence[Any]) -> Output:
    """Store the records, all or none; each names its `tablename`. Raises BadInput.

    A new ticket is numbered and mailed; a new punch of a site crisis raises one.
    """
    by_table = _by_table(records)
    stored: list[UUID | None] = []
    for table, given in by_table.items():
        stored += _store(context, TABLES[table], given)
    return Output.of("records stored", stored)


def _by_table(records: Sequence[Any]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for index, given in enumerate(visits.listed(records)):
        try:
            record = rules.record_of(given)
        except Flaw as flaw:
            raise BadInput(f"record {index}: {flaw}. Nothing of the message was stored.") from flaw
        found[table_of(record.get("tablename")).name].append(record)
    return found


def _store(context: Context, table: Table, given: list[dict[str, Any]]) -> list[UUID | None]:
    if table.name == "jobneed":
        return list(visits.store(context, given, may_insert=True))
    rows = read_all(table, given, context.mine)
    if table.name == "ticket":
        ticketing.store(context, rows)
    elif not table.may_insert or table.name == "womdetails":
        _change(context, table, rows)
    else:
        if table.name == "attachment":
            rows, misplaced = files.placed(rows, context.client_id)
            refuse(table, misplaced)
        stored = upsert(table, rows, context.mine, now=context.now)
        if table.has_uuid:
            _all_of(table, rows, stored)
        if table.name == "peopleeventlog":
            crises.look(context, [row for row in rows if row.uuid in stored.inserted])
    return [row.uuid for row in rows]


def _change(context: Context, table: Table, rows: list[Row]) -> None:
    """Permits have a mutation of their own, whose steps are watched; by this one only work orders are written to."""
    only = {"wom": {"identifier": "WO"}, "womdetails": {"wom__identifier": "WO"}}.get(table.name, {})
    _all_of(table, rows, change(table, rows, context.mine, now=context.now, only=only))


def _all_of(table: Table, rows: Sequence[Row], stored: Stored) -> None:
    ids = stored.ids
    refuse(table, [Rejected(row.index, NOT_USABLE) for row in rows if row.uuid not in ids])
