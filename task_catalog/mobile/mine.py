"""Says what belongs to one client, for whole batches of ids at once: a device names rows by their numbers."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any

from django.db.models import Q, QuerySet

from task_catalog import entities
from task_catalog.mobile.tables import HAVE_NONE, Table

_SHARED = frozenset({"TypeAssist", "Question", "QuestionSet", "QuestionSetBelonging"})
"""Vocabulary and questions may belong to no client, and are everybody's then."""
_THROUGH = {
    "jobneed": "jobneed__client_id",
    "people": "people__client_id",
    "asset": "asset__client_id",
    "wom": "wom__client_id",
}
_LEVELS = 4
"""Regions and branches between a client and its sites."""


class Mine:
    """One client's rows. Remembers what it was asked, so make one a transaction."""

    def __init__(self, client_id: int) -> None:
        self.client_id = client_id
        self._seen: dict[str, dict[int, bool]] = {}

    @functools.cached_property
    def site_ids(self) -> frozenset[int]:
        """The client's own unit and every unit below it."""
        below = Q(pk=self.client_id)
        for level in range(1, _LEVELS + 1):
            below |= Q(**{"__".join(["parent"] * level): self.client_id})
        units = entities.BusinessUnit.objects.filter(below).exclude(pk=entities.none_id())
        return frozenset(units.values_list("pk", flat=True))

    def foreign(self, entity: str, ids: Iterable[int | None]) -> set[int]:
        """Those of the ids that are neither the client's, nor everybody's, nor the NONE row; one query for all."""
        seen = self._seen.setdefault(entity, {})
        has_none = entity in HAVE_NONE
        asked = {pk for pk in ids if pk is not None and not (has_none and entities.is_none(pk))}
        if entity == "BusinessUnit":
            return asked - self.site_ids if asked else set()
        unknown = asked - seen.keys()
        if unknown:
            found = set(self._of(entity).filter(pk__in=unknown).values_list("pk", flat=True))
            seen.update((pk, pk in found) for pk in unknown)
        return {pk for pk in asked if not seen[pk]}

    def rows(self, table: Table) -> QuerySet[Any]:
        """The rows of a table that are the client's."""
        rows: QuerySet[Any] = table.model._default_manager.all()
        if table.owner == "id":
            return rows.filter(pk__in=self.site_ids)
        if table.owner == "bu":
            return rows.filter(bu_id__in=self.site_ids)
        rows = rows.filter(**{_THROUGH.get(table.owner, "client_id"): self.client_id})
        return rows.exclude(pk=entities.none_id()) if table.entity in HAVE_NONE else rows

    def _of(self, entity: str) -> QuerySet[Any]:
        rows: QuerySet[Any] = getattr(entities, entity)._default_manager.all()
        if entity == "Detail":
            return rows.filter(jobneed__client_id=self.client_id)
        if entity == "WorkOrderDetail":
            return rows.filter(wom__client_id=self.client_id)
        if entity in _SHARED:
            return rows.filter(Q(client_id=self.client_id) | entities.points_nowhere("client"))
        return rows.filter(client_id=self.client_id)
