"""What the company's people do at their sites on the day: visits done, begun or missed (catalog.md 5.3)."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.db import transaction

from task_catalog import entities
from youtility_tasks import tenant

from .company import Company
from .seed_plans import HIGH

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from task_catalog.facility.models import Jobneed

COMPLETED_TURNS, STARTED_TURN = (0, 1, 2), 3


@dataclass(frozen=True, slots=True)
class Visit:
    """What becomes of one occurrence, and when somebody comes by."""

    id: int
    client_id: int
    at: datetime
    performer_id: int
    completed: bool
    in_alert: bool


class FieldWork:
    """People's visits, decided from the rows that the planning sweeps made and from nothing else.

    Each plan's occurrences in order of their plan time take turns: of five, three are completed, one is begun, one is
    missed. Nobody works on what is not over by the last closing sweep.
    """

    def __init__(self, company: Company, last_closing: datetime) -> None:
        self._company = company
        self._last_closing = last_closing
        self._waiting: dict[int, Visit] = {}
        self._done: set[int] = set()

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
            if pk in self._done or turn % 5 not in (*COMPLETED_TURNS, STARTED_TURN) or expires_at > self._last_closing:
                continue
            self._waiting[pk] = Visit(
                id=pk,
                client_id=client_id,
                at=max(planned_at + timedelta(minutes=1), made_at),
                performer_id=self._company.guard_of(bu_id) if entities.is_none(people_id) else people_id,
                completed=turn % 5 in COMPLETED_TURNS,
                in_alert=turn % 10 == 0,
            )

    def act_until(self, instant: datetime) -> int:
        """Write all visits up to an instant that are not yet written; how many there were."""
        visits = [visit for visit in self._waiting.values() if visit.at <= instant]
        if visits:
            with transaction.atomic():
                for client_id in self._company.client_ids:
                    theirs = [visit for visit in visits if visit.client_id == client_id]
                    with tenant(client_id):
                        self._write(client_id, [visit for visit in theirs if visit.completed], "COMPLETED")
                        self._write(client_id, [visit for visit in theirs if not visit.completed], "INPROGRESS")
        for visit in visits:
            del self._waiting[visit.id]
            self._done.add(visit.id)
        return len(visits)

    def _write(self, client_id: int, visits: list[Visit], status: str) -> None:
        roots = {root.pk: root for root in self._of(client_id).filter(pk__in=[visit.id for visit in visits])}
        stops = defaultdict(list)
        for stop in self._of(client_id).filter(parent_id__in=roots).order_by("parent_id", "seqno"):
            stops[stop.parent_id].append(stop)
        touched = []
        for visit in visits:
            reached = stops[visit.id] if visit.completed else stops[visit.id][: len(stops[visit.id]) // 2]
            for row in (roots[visit.id], *reached):
                row.jobstatus = status if row is roots[visit.id] else "COMPLETED"
                row.starttime = row.mdtz = visit.at
                row.endtime = visit.at if row.jobstatus == "COMPLETED" else None
                row.performedby_id = row.muser_id = visit.performer_id
                touched.append(row)
            if visit.in_alert:
                self._raise_alert([roots[visit.id], *reached])
        fields = ["jobstatus", "starttime", "endtime", "performedby", "alerts", "muser", "mdtz"]
        entities.Occurrence.objects.bulk_update(touched, fields)
        self._answer([row.pk for row in touched if row.jobstatus == "COMPLETED"])

    def _raise_alert(self, rows: list[Jobneed]) -> None:
        """The visit's first number is out of range: at the root, or at the first stop of a tour."""
        rows[0].alerts = True
        asked = rows[min(1, len(rows) - 1)]
        asked.alerts = True
        entities.Detail.objects.filter(jobneed_id=asked.pk, seqno=1).update(answer=str(HIGH + 1), alerts=True)

    def _answer(self, occurrence_ids: list[int]) -> None:
        asked = entities.Detail.objects.filter(jobneed_id__in=occurrence_ids, answer__isnull=True)
        asked.filter(answertype="NUMERIC").update(answer=str(HIGH))
        asked.exclude(answertype__in=["NUMERIC", "NONE"]).update(answer="Yes")

    def _of(self, client_id: int) -> QuerySet[Jobneed]:
        return entities.Occurrence.objects.filter(client_id=client_id, job_id__in=list(self._company.plans))
