"""What the company's people do at their sites on the day: visits done, begun or missed (catalog.md 5.3)."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from task_catalog import entities
from youtility_tasks import tenant

from .agenda import Agenda
from .company import Company
from .devices import Devices, Visit

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from task_catalog.facility.models import Jobneed

COMPLETED_TURNS, STARTED_TURN = (0, 1, 2), 3


class FieldWork:
    """People's visits, decided from the rows that the planning sweeps made and from nothing else.

    Each plan's occurrences in order of their plan time take turns: of five, three are completed, one is begun, one is
    missed. Nobody works on what is not over by the last closing sweep. Each visit is one delivery of a device.
    """

    def __init__(self, company: Company, last_closing: datetime, agenda: Agenda, devices: Devices) -> None:
        self._company, self._agenda, self._devices = company, agenda, devices
        self._last_closing = last_closing
        self._expected: set[int] = set()

    def look(self) -> None:
        """Take note of what was planned meanwhile; called after each planning sweep."""
        for client_id in self._company.client_ids:
            with tenant(client_id):
                self._look(client_id)

    def _look(self, client_id: int) -> None:
        turns: dict[int, int] = defaultdict(int)
        roots = self._of(client_id).filter(entities.points_nowhere("parent")).order_by("job_id", "plandatetime", "pk")
        columns = ("pk", "job_id", "bu_id", "people_id", "plandatetime", "expirydatetime", "cdtz")
        for pk, job_id, bu_id, people_id, planned_at, expires_at, made_at in roots.values_list(*columns):
            k, turns[job_id] = turns[job_id], turns[job_id] + 1
            turn = self._company.plans[job_id].seq + k
            if (
                pk in self._expected
                or turn % 5 not in (*COMPLETED_TURNS, STARTED_TURN)
                or expires_at > self._last_closing
            ):
                continue
            self._expected.add(pk)
            visit = Visit(
                root_id=pk,
                at=max(planned_at + timedelta(minutes=1), made_at),
                performer_id=self._company.guard_of(bu_id) if entities.is_none(people_id) else people_id,
                completed=turn % 5 in COMPLETED_TURNS,
                in_alert=turn % 10 == 0,
            )
            self._agenda.note(visit.at, client_id, self._devices.report_visit, visit)

    def _of(self, client_id: int) -> QuerySet[Jobneed]:
        return entities.Occurrence.objects.filter(client_id=client_id, job_id__in=list(self._company.plans))
