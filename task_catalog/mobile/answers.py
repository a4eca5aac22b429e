"""The answers that come with visits, read and stored for a whole message at once."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from task_catalog.mobile.context import Context
from task_catalog.mobile.reading import Rejected, Row, read_all, refuse
from task_catalog.mobile.storing import upsert
from task_catalog.mobile.tables import TABLES, Table
from youtility_tasks import BadInput

TABLE = TABLES["jobneeddetails"]
WOM_TABLE = TABLES["womdetails"]
SAME_OWNER = "t.{{{0}}} = excluded.{{{0}}}"
"""The condition that a row stays below the row that it belongs to."""


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers of a message's visits, by the uuid of the visit that each came with."""

    table: Table
    rows: Sequence[Row]
    owner_of: Mapping[UUID, UUID]
    in_alert: frozenset[UUID]
    """Visits with an answer that the device has marked as out of range."""

    @classmethod
    def of(cls, context: Context, visits: Sequence[Row], table: Table = TABLE) -> Answers:
        """Read the `details` of each record. Raises BadInput.

        Which visit an answer belongs to is told by where it stands, whatever id it names itself.
        """
        given, owners = [], []
        for visit in visits:
            details = visit.given.get("details") or []
            if not isinstance(details, list):
                raise BadInput(f"{table.name}: 'details' are {details!r:.60}; right is a list of answers.")
            for each in details:
                given.append(each)
                owners.append(visit.key)
        rows = read_all(table, given, context.mine, owner_follows=True)
        owner_of = {row.key: owners[row.index] for row in rows}
        in_alert = frozenset(owner_of[row.key] for row in rows if row.values.get("alerts"))
        return cls(table, rows, owner_of, in_alert)

    def store(self, context: Context, ids: Mapping[UUID, int], *, without: Collection[UUID] = ()) -> None:
        """Write them to the visits of these ids. Raises BadInput for an answer that belongs to another visit."""
        rows = [row for row in self.rows if self.owner_of[row.key] not in without]
        for row in rows:
            row.values[self.table.owner] = ids[self.owner_of[row.key]]
        if not rows:
            return
        stored = upsert(self.table, rows, context.mine, now=context.now, condition=SAME_OWNER.format(self.table.owner))
        known = stored.ids
        refuse(
            self.table,
            [Rejected(row.index, "its uuid is that of another answer") for row in rows if row.key not in known],
        )
