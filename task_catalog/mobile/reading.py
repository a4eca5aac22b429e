"""From a device's records to rows: values cleaned, unknown columns left out, and nothing of another client's in them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from task_catalog import entities
from task_catalog.mobile.mine import Mine
from task_catalog.mobile.tables import HAVE_NONE, OF_WORDS, Table, columns_of
from task_catalog.rules import records as rules
from task_catalog.rules.records import Flaw
from youtility_tasks import BadInput

MOST_TOLD = 100
"""Rejected records that a result tells of one by one."""


@dataclass(slots=True)
class Row:
    """One record as it will be stored; `values` are by the names of the columns, a reference is the other row's id."""

    index: int
    uuid: UUID | None
    values: dict[str, Any]
    given: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> UUID:
        """Its uuid, of a table that has one."""
        if self.uuid is None:
            raise TypeError("a row without a uuid")
        return self.uuid


@dataclass(frozen=True, slots=True)
class Rejected:
    """A record that is not stored, by its place in the batch, and why."""

    index: int
    reason: str


def read(
    table: Table, given: Sequence[object], mine: Mine, *, owner_follows: bool = False
) -> tuple[list[Row], list[Rejected]]:
    """The rows of a batch and the records that cannot be rows; of records with the same uuid the last one stays.

    `owner_follows`: the caller will say whose the rows are, whatever they say themselves.

    One query for each kind of thing that the records point to, however many records.
    """
    rows: list[Row] = []
    rejected: list[Rejected] = []
    for index, record in enumerate(given):
        try:
            rows.append(_row(table, index, record, mine, owner_follows))
        except Flaw as flaw:
            rejected.append(Rejected(index, str(flaw)))
    rows, foreign = _without_foreign(table, rows, mine)
    return _last_of_each(rows), sorted([*rejected, *foreign], key=lambda each: each.index)


def read_all(table: Table, given: Sequence[object], mine: Mine, *, owner_follows: bool = False) -> list[Row]:
    """As `read`, and raises BadInput if one record cannot be a row."""
    rows, rejected = read(table, given, mine, owner_follows=owner_follows)
    refuse(table, rejected)
    return rows


def refuse(table: Table, rejected: Sequence[Rejected]) -> None:
    """Raise BadInput that tells of the first rejected records, if there are any."""
    if rejected:
        told = "; ".join(f"record {each.index}: {each.reason}" for each in rejected[:5])
        more = f" and {len(rejected) - 5} more" if len(rejected) > 5 else ""
        raise BadInput(f"{table.name}: {told}{more}. Nothing of the message was stored.")


def _row(table: Table, index: int, given: object, mine: Mine, owner_follows: bool) -> Row:
    record = rules.record_of(given)
    key = rules.uuid_of(record) if table.has_uuid else None
    known = columns_of(table.model, table.writable)
    values: dict[str, Any] = {}
    for name, column in known.by_name.items():
        is_reference = name in known.references
        if owner_follows and name == table.owner:
            continue
        source = f"{name}_id" if is_reference and f"{name}_id" in record else name
        if source not in record:
            continue
        try:
            value = rules.cleaned(column, record[source])
        except Flaw as flaw:
            raise Flaw(f"{source}: {flaw}") from flaw
        if is_reference and value is None and known.references[name] in HAVE_NONE:
            value = entities.none_id()
        if value is not None or column.is_nullable:
            values[name] = value
    if "client" in known.by_name:
        if values.get("client", mine.client_id) not in (mine.client_id, entities.none_id()):
            raise Flaw(f"client_id: {values['client']} is not the client for whom the message came")
        values["client"] = mine.client_id
    elif not owner_follows and table.may_insert and entities.is_none(values.get(table.owner)):
        raise Flaw(f"it does not say whose it is; right is a {table.owner}_id")
    if not table.has_uuid and not values.get("tacode"):
        raise Flaw("it has no tacode")
    return Row(index, key, values, record)


def _without_foreign(table: Table, rows: list[Row], mine: Mine) -> tuple[list[Row], list[Rejected]]:
    references = columns_of(table.model, table.writable).references
    wanted: dict[str, set[int]] = defaultdict(set)
    for row in rows:
        for name, entity in references.items():
            if name in row.values and name != "client":
                wanted[entity].add(row.values[name])
    foreign = {entity: mine.foreign(entity, ids) for entity, ids in wanted.items()}
    kept, rejected = [], []
    for row in rows:
        wrong = [
            f"{name}_id: {row.values[name]} is none of this client's"
            for name, entity in references.items()
            if name != "client" and row.values.get(name) in foreign.get(entity, ())
        ]
        if wrong:
            rejected.append(Rejected(row.index, "; ".join(wrong)))
        else:
            kept.append(row)
    return kept, rejected


def _last_of_each(rows: Iterable[Row]) -> list[Row]:
    last: dict[object, Row] = {}
    for row in rows:
        key: object = row.uuid or tuple(row.values.get(name) for name in OF_WORDS)
        last.pop(key, None)
        last[key] = row
    return list(last.values())
