"""The small company of the planning tests: plans of each kind, with what they are done on and what is asked."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from task_catalog import entities
from task_catalog.facility.models import (
    Asset,
    Bt,
    EscalationMatrix,
    Job,
    Jobneed,
    JobneedDetails,
    Question,
    QuestionSet,
    QuestionSetBelonging,
)
from tests.catalog.closing import world
from tests.catalog.closing.world import NONE, START, columns_of, run

__all__ = ["MORNING", "NONE", "START", "Planner", "at", "details", "run", "stops_of"]

MORNING = START + timedelta(minutes=27)
"""When the first planning sweep of the day runs."""


def at(text: str) -> datetime:
    """`03 00:25`: the day of March 2025 and the time, UTC."""
    return datetime.strptime(f"2025-03-{text}+0000", "%Y-%m-%d %H:%M%z")


def stops_of(root: Jobneed) -> list[Jobneed]:
    return list(Jobneed.objects.filter(parent=root).order_by("seqno"))


def details(row: Jobneed) -> list[JobneedDetails]:
    return list(JobneedDetails.objects.filter(jobneed=row).order_by("seqno", "pk"))


class Planner(world.Company):
    """One client and its plans. Names and codes are the same as at every other client, on purpose."""

    def asset(self, site: Bt, **columns: Any) -> Asset:
        number = next(self._count)
        facts: dict[str, Any] = {
            "assetcode": f"A{number}",
            "assetname": f"machine {number}",
            "identifier": "ASSET",
            "client_id": self.id,
            "bu": site,
            "type_id": NONE,
            "category_id": NONE,
            "location_id": NONE,
            "parent_id": NONE,
        }
        return Asset.objects.create(**columns_of(facts, columns), **self.stamps())

    def qset(self, questions: int = 2) -> QuestionSet:
        qset = QuestionSet.objects.create(
            qsetname=f"checklist {next(self._count)}",
            parent_id=NONE,
            client_id=self.id,
            bu_id=self.id,
            **self.stamps(),
        )
        for number in range(questions, 0, -1):
            self.ask(qset, number)
        return qset

    def ask(self, qset: QuestionSet, seqno: int, **columns: Any) -> QuestionSetBelonging:
        question = Question.objects.create(quesname=f"question {next(self._count)}", client_id=self.id, **self.stamps())
        facts = {"answertype": "NUMERIC", "min": 1, "max": 9, "alerton": "<1,>9", "ismandatory": False, **columns}
        return QuestionSetBelonging.objects.create(
            qset=qset,
            question=question,
            seqno=seqno,
            client_id=self.id,
            bu_id=self.id,
            **facts,
            **self.stamps(),
        )

    def plan(self, site: Bt, **columns: Any) -> Job:
        """A TASK every day at 06:00 of the client's wall clock: 10 minutes before, 30 to do it, 20 after."""
        facts: dict[str, Any] = {
            "jobname": f"plan {next(self._count)}",
            "identifier": "TASK",
            "fromdate": START - timedelta(days=30),
            "uptodate": START + timedelta(days=30),
            "cron": "0 6 * * *",
            "planduration": 30,
            "gracetime": 10,
            "expirytime": 20,
            "people_id": NONE,
            "pgroup_id": NONE,
            "sgroup_id": NONE,
            "ticketcategory_id": NONE,
            "parent_id": NONE,
            "client_id": self.id,
            "bu": site,
        }
        if not {"asset", "asset_id"} & set(columns):
            facts["asset"] = self.asset(site)
        if not {"qset", "qset_id"} & set(columns):
            facts["qset"] = self.qset()
        return Job.objects.create(**{**self.stamps(), **columns_of(facts, columns)})

    def ppm(self, site: Bt, *rules: tuple[str | None, int | None, str], **columns: Any) -> Job:
        """Maintenance on Mondays at 10:00, and reminder rules of unit, value and address."""
        facts = {"identifier": "PPM", "cron": "0 10 * * 1", "uptodate": START + timedelta(days=21)}
        plan = self.plan(site, **{**facts, **columns})
        for unit, value, address in rules:
            self.remind(plan, unit, value, address)
        return plan

    def remind(self, plan: Job, unit: str | None, value: int | None, address: str = "") -> EscalationMatrix:
        return entities.EscalationMatrix.objects.create(
            escalationtemplate=self.word("JOB", "ESCALATIONTEMPLATE"),
            level=1,
            frequency=unit,
            frequencyvalue=value,
            notify=address,
            job=plan,
            assignedperson_id=NONE,
            assignedgroup_id=NONE,
            client_id=self.id,
            bu=plan.bu,
            **self.stamps(),
        )

    def tour(self, site: Bt, *travel_min: int, **columns: Any) -> Job:
        """An internal tour every three hours, 5 minutes a stop and 5 before; a checkpoint for each leg given."""
        points = columns.pop("points", [None] * len(travel_min))
        facts: dict[str, Any] = {
            "identifier": "INTERNALTOUR",
            "cron": "0 */3 * * *",
            "planduration": 5,
            "gracetime": 5,
            "expirytime": 0,
            "asset_id": NONE,
            "qset_id": NONE,
            "other_info": {"tour_frequency": 1, "is_randomized": False, "breaktime": 0, "isdynamic": False},
        }
        tour = self.plan(site, **{**facts, **columns})
        for minutes, point in zip(travel_min, points, strict=True):
            self.stop_plan(tour, minutes, asset=self.asset(site, identifier="CHECKPOINT", gpslocation=point))
        return tour

    def external_tour(self, *sites: Bt, minutes: int = 12, **columns: Any) -> Job:
        """A tour from site to site, every evening at 20:00."""
        facts = {"identifier": "EXTERNALTOUR", "cron": "0 20 * * *", "sgroup": self.group(*sites)}
        tour = self.tour(self.client, **{**facts, "planduration": 10, **columns})
        for number, site in enumerate(sites):
            self.stop_plan(tour, minutes if number else 0, asset_id=NONE, bu=site)
        return tour

    def stop_plan(self, tour: Job, minutes: int, **columns: Any) -> Job:
        there = Job.objects.filter(parent=tour).count()
        facts: dict[str, Any] = {
            "jobname": f"stop {there + 1}",
            "identifier": tour.identifier,
            "cron": "* * * * *",
            "expirytime": minutes,
            "parent": tour,
            "seqno": there + 1,
            "priority": "HIGH",
        }
        return self.plan(columns.pop("bu", tour.bu), **{**facts, **columns})

    def roots(self, plan: Job | None = None) -> list[Jobneed]:
        """The planned occurrences of a plan, or of the client, by P."""
        found = Jobneed.objects.filter(client_id=self.id, parent_id=NONE)
        return list((found if plan is None else found.filter(job=plan)).order_by("plandatetime", "pk"))
