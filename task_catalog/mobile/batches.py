"""Stores a batch of rows from which nothing follows, as far as they can be stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from task_catalog.mobile import files
from task_catalog.mobile.mine import Mine
from task_catalog.mobile.reading import MOST_TOLD, Rejected, read
from task_catalog.mobile.storing import upsert
from task_catalog.mobile.tables import Table
from task_catalog.rules import progress

REFUSED = "its uuid cannot be used, or something newer is stored; draw another uuid if the row is a new one"
"""What a device hears of a row that the database did not take. It does not say whether anybody has that uuid."""


@dataclass(slots=True)
class Told:
    """What became of a batch."""

    inserted: int = 0
    updated: int = 0
    rejected: list[Rejected] = field(default_factory=list)

    @property
    def stored(self) -> int:
        return self.inserted + self.updated

    def as_json(self) -> list[dict[str, Any]]:
        """The rejected records for a result, as many as it has room for."""
        return [{"index": each.index, "reason": each.reason} for each in self.rejected[:MOST_TOLD]]

    def warnings(self) -> list[str]:
        """A word on those for which there is no room."""
        more = len(self.rejected) - MOST_TOLD
        return [f"{more} more records were rejected"] if more > 0 else []


def store(table: Table, given: Sequence[object], mine: Mine, *, now: datetime) -> Told:
    """Store what can be stored, in the caller's transaction; of records with the same uuid the last one counts."""
    rows, rejected = read(table, given, mine)
    if table.name == "attachment":
        rows, misplaced = files.placed(rows, mine.client_id)
        rejected += misplaced
    condition = (
        progress.STEP_BACK_SQL if table.name == "jobneed" and any("jobstatus" in row.values for row in rows) else ""
    )
    stored = upsert(table, rows, mine, now=now, defaults=defaults_of(table), condition=condition)
    known = stored.ids
    refused = [Rejected(row.index, REFUSED) for row in rows if row.uuid not in known]
    return Told(
        inserted=len(stored.inserted),
        updated=len(stored.updated),
        rejected=sorted([*rejected, *refused], key=lambda each: each.index),
    )


def defaults_of(table: Table) -> dict[str, Any]:
    """What a new row has where a device says nothing."""
    return {"jobtype": "ADHOC"} if table.name == "jobneed" else {}
