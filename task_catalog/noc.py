"""Tells the control room (NOC) of rows that were saved: one message a saved row, one a batch of rows made in bulk.

Which tables, and which fields of theirs, is the setting `noc_hooks`; without it nothing is told. The message is a
`publish_mqtt` job in the saving transaction, so it leaves if and only if the rows stay.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.core.signals import setting_changed
from django.db.models import Model
from django.db.models.signals import post_save

from task_catalog import entities
from task_catalog.conf import catalog
from task_catalog.maintenance.mqtt import publish_mqtt
from task_catalog.rules import noc as rules
from youtility_tasks import current_tenant, enqueue_many, errors, tenant


def announce(logical: str, rows: Sequence[Model], *, created: bool) -> int:
    """Tell the control room of rows of one table that were made or changed together; how many messages were queued.

    For whoever writes rows without `save()` (`bulk_create`, `update`), in the same transaction. `logical` is a name of
    `task_catalog.entities`. Does nothing when the table's hook is off. Rows are told as of their own client where they
    name one, else as of the current tenant; raises NoTenant when there is neither.
    """
    fields = catalog().noc_hooks.get(logical)
    if not fields or not rows:
        return 0
    told = rules.TABLES[logical]
    operation = rules.CREATE if created else rules.UPDATE
    of_client: dict[int | None, list[Mapping[str, Any]]] = {}
    for row in rows:
        of_client.setdefault(_client_of(row), []).append(_shown(row, fields))
    count = 0
    for client_id, shown in of_client.items():
        calls = [{"topic": catalog().noc_topic, "payload": text} for text in rules.texts(told, operation, shown)]
        if client_id is None:
            count += len(enqueue_many(publish_mqtt, calls))
        else:
            with tenant(client_id):
                count += len(enqueue_many(publish_mqtt, calls))
    return count


def _client_of(row: Model) -> int | None:
    """The client a row names; None when it names none, and the current tenant counts."""
    client_id: int | None = getattr(row, "client_id", None)
    if client_id is None or entities.is_none(client_id) or client_id == current_tenant():
        return None
    return client_id


def _shown(row: Model, fields: Sequence[str]) -> dict[str, Any]:
    """The allowed fields of a row as plain JSON; of a foreign key its id, under the column's name (`client_id`)."""
    columns = {field.name: field.attname for field in row._meta.concrete_fields}
    for name in fields:
        if name not in columns:
            raise errors.ConfigurationError(
                f"TASK_CATALOG['noc_hooks'] lists {name!r}, which {row._meta.label} has not; `manage.py check` tells of all."
            )
    values = {columns[name]: getattr(row, columns[name]) for name in fields}
    plain: dict[str, Any] = json.loads(json.dumps(values, cls=_Encoder, allow_nan=False))
    return plain


class _Encoder(DjangoJSONEncoder):
    """Also for what only the database knows how to write, such as a polygon."""

    def default(self, o: Any) -> Any:
        try:
            return super().default(o)
        except TypeError:
            return str(o)


@functools.cache
def _logical_of() -> Mapping[type[Model], str]:
    return {getattr(entities, logical): logical for logical in catalog().noc_hooks}


def _on_save(sender: type[Model], instance: Model, created: bool, raw: bool, **kwargs: Any) -> None:
    logical = _logical_of().get(sender)
    if logical is not None and not raw:
        announce(logical, [instance], created=created)


def listen() -> None:
    """Hear of every saved row from now on; calling it again changes nothing."""
    post_save.connect(_on_save, dispatch_uid="task_catalog.noc")


def _forget(*, setting: str, **kwargs: object) -> None:
    if setting == "TASK_CATALOG":
        _logical_of.cache_clear()


setting_changed.connect(_forget, dispatch_uid="task_catalog.noc.forget")
