"""Writes rows by the device's own key: new ones are inserted, the client's own are updated, another's stay as they are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, connections, models, router
from psycopg.errors import UniqueViolation

from task_catalog import entities
from task_catalog.mobile.mine import Mine
from task_catalog.mobile.reading import Row
from task_catalog.mobile.tables import OF_WORDS, Table, nothing_of
from task_catalog.ports import places
from youtility_tasks import BadInput

BATCH = 500
"""Rows of one statement."""
_NEVER_CHANGED = frozenset({"uuid", "client", "cdtz", "cuser"})
"""Columns of a row that is there already which a device does not change."""


@dataclass(slots=True)
class Stored:
    """What became of a batch: ids by uuid."""

    inserted: dict[UUID, int] = field(default_factory=dict)
    updated: dict[UUID, int] = field(default_factory=dict)

    @property
    def ids(self) -> dict[UUID, int]:
        """Of all rows that are stored now."""
        return {**self.updated, **self.inserted}


def upsert(
    table: Table,
    rows: Sequence[Row],
    mine: Mine,
    *,
    now: datetime,
    defaults: Mapping[str, Any] | None = None,
    condition: str = "",
) -> Stored:
    """Insert the rows or, where the client has one of that uuid, change it; in the caller's transaction.

    `defaults` fill columns of new rows that a record leaves out, `condition` narrows which rows may be changed: SQL in
    which the stored row is `t`, the new one `excluded`, and `{name}` the column of a field. One statement for up to 500 rows that fill the same columns. A row whose
    uuid is taken by another client, or which the condition keeps from being changed, is in neither part of the result:
    the database compares its owner before it looks at policies, so that it is not told apart from any other refusal.
    Raises BadInput when something else of the rows than their uuid is there already and may be there only once.
    """
    done = Stored()
    groups: dict[frozenset[str], list[Row]] = defaultdict(list)
    # In one order everywhere, so that two messages with the same rows wait for each other in turn and not for ever.
    for row in sorted(rows, key=lambda each: (each.uuid or UUID(int=0), each.index)):
        groups[frozenset(row.values)].append(row)
    for names, of_group in groups.items():
        for start in range(0, len(of_group), BATCH):
            _write(table, names, of_group[start : start + BATCH], mine, now, defaults or {}, condition, done)
    return done


def change(
    table: Table, rows: Sequence[Row], mine: Mine, *, now: datetime, only: Mapping[str, Any] | None = None
) -> Stored:
    """Change rows of a table into which devices insert nothing; those that the client has not are left out.

    `only` narrows which rows may be changed, as a filter of the ORM.
    """
    done = Stored()
    by_uuid = {row.key: row for row in rows}
    owned = mine.rows(table).filter(uuid__in=list(by_uuid), **(only or {}))
    found = list(owned.select_for_update(of=("self",)).order_by("pk"))
    names: set[str] = set()
    named = {each.name: each for each in table.model._meta.concrete_fields}
    for stored in found:
        values = {name: value for name, value in by_uuid[stored.uuid].values.items() if _may_change(table, name)}
        values.setdefault("mdtz", now.replace(microsecond=0))
        for name, value in values.items():
            if name in named:
                setattr(stored, named[name].attname, as_column(named[name], value))
                names.add(name)
        done.updated[stored.uuid] = stored.pk
    if found:
        table.model._default_manager.bulk_update(found, sorted(names), batch_size=BATCH)
    return done


def _may_change(table: Table, name: str) -> bool:
    return name not in _NEVER_CHANGED and (table.changeable is None or name in table.changeable)


def as_column(column: models.Field[Any, Any], value: Any) -> Any:
    """A cleaned value in the column's own notation; only places have more than one."""
    if column.name in ("gpslocation", "startlocation", "endlocation"):
        return None if value is None else places.as_stored(column, [value])
    if column.name == "journeypath" and value is not None:
        return places.as_stored(column, value)
    return value


def _write(
    table: Table,
    names: frozenset[str],
    rows: Sequence[Row],
    mine: Mine,
    now: datetime,
    defaults: Mapping[str, Any],
    condition: str,
    done: Stored,
) -> None:
    model = table.model
    connection = connections[router.db_for_write(model)]
    quote = _quote(connection)
    filled = [each for each in model._meta.concrete_fields if _is_filled(each, names, defaults)]
    parameters: list[Any] = []
    for row in rows:
        for column in filled:
            value = _value(column, row, names, now, defaults)
            parameters.append(column.get_db_prep_save(as_column(column, value), connection))
    line = "(" + ", ".join(["%s"] * len(filled)) + ")"
    changed = [each for each in filled if each.name in names and _may_change(table, each.name)]
    columns = {each.name: quote(each.column) for each in model._meta.concrete_fields}
    columns["id"] = quote(model._meta.pk.column)  # whatever the mapped model calls it
    owned, owner = _owned(table, mine, columns)
    sets = [f"{quote(each.column)} = excluded.{quote(each.column)}" for each in changed]
    if "mdtz" in columns and "mdtz" not in names:
        sets.append(f"{columns['mdtz']} = excluded.{columns['mdtz']}")
    target = [columns[name] for name in (("uuid",) if table.has_uuid else OF_WORDS)]
    where = f"{owned} AND {condition.format_map(columns)}" if condition else owned
    key = f"t.{columns['uuid']}" if table.has_uuid else "NULL"
    pk_column = quote(model._meta.pk.column)
    # Names come from the mapped models and from `Table`, values are parameters.
    statement = (
        f"INSERT INTO {quote(model._meta.db_table)} AS t ({', '.join(quote(each.column) for each in filled)})"  # noqa: S608
        f" VALUES {', '.join([line] * len(rows))}"
        f" ON CONFLICT ({', '.join(target)}) DO UPDATE SET {', '.join(sets or [f'{pk_column} = t.{pk_column}'])} WHERE {where}"
        f" RETURNING {key}, t.{pk_column}, t.xmax = 0"
    )
    with connection.cursor() as cursor:
        try:
            cursor.execute(statement, [*parameters, *owner])
        except IntegrityError as error:
            if not isinstance(error.__cause__, UniqueViolation):  # e.g. somebody deleted what they point to: try again
                raise
            name = error.__cause__.diag.constraint_name
            raise BadInput(
                f"{table.name}: a row would be there twice ({name}). Nothing of the message was stored."
            ) from None
        for nth, (uuid, pk, is_new) in enumerate(cursor.fetchall()):
            (done.inserted if is_new else done.updated)[uuid if table.has_uuid else UUID(int=nth)] = pk


def _quote(connection: Any) -> Callable[[str | None], str]:
    """Quotes a name; every column of a stored field has one, whatever its type says."""
    return lambda name: str(connection.ops.quote_name(name or ""))


def _owned(table: Table, mine: Mine, columns: Mapping[str, str]) -> tuple[str, list[Any]]:
    """The condition that the stored row `t` is the client's, and its parameters."""
    column = columns[table.owner]
    if table.owner == "client":
        return f"t.{column} = %s", [mine.client_id]
    if table.owner == "bu":
        return f"t.{column} = ANY(%s)", [sorted(mine.site_ids)]
    of: dict[str, Any] = {
        "people": entities.Person,
        "asset": entities.Asset,
        "jobneed": entities.Occurrence,
        "wom": entities.WorkOrder,
    }
    meta = of[table.owner]._meta
    quote = _quote(connections[router.db_for_write(of[table.owner])])
    pk_column, client = quote(meta.pk.column), quote(meta.get_field("client").column)
    return (
        f"EXISTS (SELECT 1 FROM {quote(meta.db_table)} o WHERE o.{pk_column} = t.{column} AND o.{client} = %s)",  # noqa: S608
        [mine.client_id],
    )


def _is_filled(column: models.Field[Any, Any], names: frozenset[str], defaults: Mapping[str, Any]) -> bool:
    if column.primary_key or column.generated:
        return False
    return column.name in names or column.name in defaults or column.name == "uuid" or not column.has_db_default()


def _value(
    column: models.Field[Any, Any], row: Row, names: frozenset[str], now: datetime, defaults: Mapping[str, Any]
) -> Any:
    if column.name == "uuid" and row.uuid is not None:
        return row.uuid
    if column.name in names:
        return row.values[column.name]
    if column.name in defaults:
        return defaults[column.name]
    if column.is_relation:
        return nothing_of(column.related_model)
    if column.name in ("cdtz", "mdtz"):
        return now.replace(microsecond=0)
    return column.get_default()  # an empty text where there is no default
