"""Which business units belong to a client, at whatever depth of its tree."""

from __future__ import annotations

from task_catalog import entities


def units_of(client_id: int) -> frozenset[int]:
    """The client's own id, those of its regions and of its sites; one query a level of the tree."""
    found = {client_id}
    level = found
    while level:
        below = entities.BusinessUnit.objects.filter(parent_id__in=level).values_list("pk", flat=True)
        level = set(below) - found
        found |= level
    return frozenset(found)
