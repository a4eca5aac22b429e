"""The wall clock of a row, also for rows whose offset nobody recorded (catalog.md 1.3)."""

from __future__ import annotations

from django.db.models import Count

from task_catalog import entities
from task_catalog.rules import local_time


class Offsets:
    """Offsets in minutes east of UTC; remembers the fallback of each site, so make one a run.

    `warnings` says, once a site, where a fallback was used. `using` is the database alias of the plans asked.
    """

    def __init__(self, using: str | None = None) -> None:
        self._using = using
        self.warnings: list[str] = []
        self._fallbacks: dict[tuple[int | None, int | None], int] = {}

    def of(self, offset: int | None, *, client_id: int | None, bu_id: int | None) -> int:
        """The row's own offset; without one, that of most plans of its site, then of its client, then 0."""
        if offset is not None and local_time.is_known(offset):
            return offset
        place = (client_id, bu_id)
        if place not in self._fallbacks:
            self._fallbacks[place] = self._most_used(client_id, bu_id)
            self.warnings.append(
                f"site {bu_id}: a row has no ctzoffset; times are shown at {self._fallbacks[place]} min"
            )
        return self._fallbacks[place]

    def _most_used(self, client_id: int | None, bu_id: int | None) -> int:
        plans = (
            entities.Plan.objects.using(self._using).filter(client_id=client_id).exclude(ctzoffset=local_time.UNKNOWN)
        )
        for narrowed in (plans.filter(bu_id=bu_id), plans):
            used = narrowed.values("ctzoffset").annotate(times=Count("pk")).order_by("-times", "ctzoffset")
            for found in used:
                if local_time.is_known(found["ctzoffset"]):
                    return int(found["ctzoffset"])
        return 0
