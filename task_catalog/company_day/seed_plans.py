"""Makes what the company's people shall do: question sets, plans with their stops, reminder and escalation rules."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from task_catalog import entities

from .company import ClientRows, domain
from .definitions import (
    BAD_CRON,
    CHECKPOINT_QUESTIONS,
    CLIENT_KIND,
    ESCALATION_STEPS,
    IDLE_PLANS,
    KINDS,
    NEVER_CRON,
    PPM_QUESTIONS,
    REMINDER_RULES,
    TASK_QUESTIONS,
    TICKET_CATEGORY,
    Kind,
    Plan,
    midnight,
    producing_plans,
    validity,
)

if TYPE_CHECKING:
    from task_catalog.facility.models import EscalationMatrix, Job

GROUP_SITE = 1
"""The site of client A whose plans are a group's and not a person's."""
LOW, HIGH = 10, 40
"""An answer outside of these is in alert."""

_QUESTIONS = {"task": TASK_QUESTIONS, "ppm": PPM_QUESTIONS, "checkpoint": CHECKPOINT_QUESTIONS}
_CHORES = ("Clean filters", "Read meters", "Check alarms", "Empty bins", "Test lights", "Inspect doors", "Water plants")


def make_question_sets(rows: ClientRows, made_at: datetime) -> None:
    """A checklist for tasks, for maintenance and for checkpoints; the first question wants a number in range."""
    none_id = entities.none_id()
    stamps = rows.stamps(made_at)
    for name, count in _QUESTIONS.items():
        qset = entities.QuestionSet.objects.create(
            qsetname=f"{name.title()} checklist", parent_id=none_id, client_id=rows.id, bu_id=rows.id, **stamps
        )
        questions = entities.Question.objects.bulk_create(
            entities.Question(quesname=f"{name.title()} question {n}", client_id=rows.id, **_answer(n), **stamps)
            for n in range(1, count + 1)
        )
        entities.QuestionSetBelonging.objects.bulk_create(
            entities.QuestionSetBelonging(
                qset=qset, question=question, seqno=n, client_id=rows.id, bu_id=rows.id, **_answer(n), **stamps
            )
            for n, question in enumerate(questions, start=1)
        )
        rows.qsets[name] = qset


def make_plans(
    clients: Mapping[str, ClientRows], day: date, scale: int, names: random.Random
) -> tuple[dict[int, Plan], frozenset[int]]:
    """All plans, their stops and the rules that hang on them; the producing plans and the ids of the idle ones."""
    maker = _PlanMaker(clients, day, names)
    plans = list(producing_plans(scale))
    made = entities.Plan.objects.bulk_create(maker.producing(plan) for plan in plans)
    entities.Plan.objects.bulk_create(
        stop for plan, job in zip(plans, made, strict=True) for stop in maker.stops(plan, job)
    )
    idle = entities.Plan.objects.bulk_create(maker.idle(rows, why) for rows in clients.values() for why in IDLE_PLANS)
    rules = [rule for plan, job in zip(plans, made, strict=True) for rule in maker.reminder_rules(plan, job)]
    steps = [step for rows in clients.values() for step in maker.escalation_steps(rows)]
    entities.EscalationMatrix.objects.bulk_create([*rules, *steps])
    produced = {job.pk: plan for plan, job in zip(plans, made, strict=True)}
    return produced, frozenset(job.pk for job in idle)


def _answer(n: int) -> dict[str, Any]:
    if n == 1:
        return {"answertype": "NUMERIC", "min": LOW, "max": HIGH, "alerton": f"<{LOW},>{HIGH}"}
    return {"answertype": "DROPDOWN", "options": "Yes,No"}


@dataclass(frozen=True, slots=True)
class _PlanMaker:
    clients: Mapping[str, ClientRows]
    day: date
    names: random.Random

    def producing(self, plan: Plan) -> Job:
        rows = self.clients[plan.client.letter]
        is_tour = plan.kind.is_tour
        unit = rows.unit if plan.site is None else rows.sites[plan.site]
        return self._job(
            rows,
            plan.kind,
            jobname=f"{self.names.choice(_CHORES)} {plan.code}",
            category=plan.category,
            bu=unit,
            asset_id=entities.none_id() if is_tour else rows.assets[plan.site or 0][plan.seq % 9].pk,
            qset_id=entities.none_id() if is_tour else self._qset(rows, plan.kind),
            **self._assignee(rows, plan),
        )

    def stops(self, plan: Plan, tour: Job) -> list[Job]:
        """One child a checkpoint, or a site; its `expirytime` is the minutes needed to reach it."""
        rows = self.clients[plan.client.letter]
        none_id = entities.none_id()
        found = []
        for stop in range(plan.stops):
            checkpoint = None if plan.site is None else rows.checkpoints[plan.site][stop]
            found.append(
                entities.Plan(
                    jobname=f"{tour.jobname} stop {stop + 1}",
                    identifier=tour.identifier,
                    fromdate=tour.fromdate,
                    uptodate=tour.uptodate,
                    cron=NEVER_CRON,
                    planduration=tour.planduration,
                    gracetime=tour.gracetime,
                    expirytime=plan.travel_min(stop),
                    asset_id=checkpoint.pk if checkpoint else none_id,
                    qset=rows.qsets["checkpoint"],
                    people_id=tour.people_id,
                    pgroup_id=tour.pgroup_id,
                    sgroup_id=tour.sgroup_id,
                    geofence_id=none_id,
                    parent=tour,
                    seqno=stop + 1,
                    client_id=rows.id,
                    bu=tour.bu if checkpoint else rows.sites[stop],
                    ticketcategory_id=tour.ticketcategory_id,
                    scantype="QR",
                    priority=tour.priority,
                    other_info=tour.other_info,
                    **rows.stamps(tour.cdtz),
                )
            )
        return found

    def idle(self, rows: ClientRows, why: str) -> Job:
        """A plan of the client's first site that must produce nothing."""
        kind = KINDS["TR" if why == "dynamic" else "T1"]
        job = self._job(
            rows,
            kind,
            jobname=f"Idle {why}",
            category="AUTOCLOSED",
            bu=rows.sites[0],
            asset_id=rows.assets[0][-1 if why == "scrapped" else 0].pk,
            qset_id=self._qset(rows, kind),
            people_id=rows.site_people[0]["guard"][0].pk,
        )
        job.enable = why != "disabled"
        if why == "ended":
            job.uptodate = midnight(self.day) - timedelta(days=1)
        elif why in ("unscheduled", "badcron"):
            job.cron = NEVER_CRON if why == "unscheduled" else BAD_CRON
        elif why == "dynamic":
            job.other_info = {**job.other_info, "isdynamic": True}
        elif why == "geofence":
            job.identifier = "GEOFENCE"
        return job

    def reminder_rules(self, plan: Plan, job: Job) -> list[EscalationMatrix]:
        """Before which time a maintenance plan reminds its people and the client's desk."""
        if plan.kind.identifier != "PPM":
            return []
        rows = self.clients[plan.client.letter]
        return [
            self._matrix_row(rows, "JOB", level, unit, value, job_id=job.pk, bu_id=job.bu_id, assignedfor="REMINDER")
            for level, (unit, value) in enumerate(REMINDER_RULES, start=1)
        ]

    def escalation_steps(self, rows: ClientRows) -> list[EscalationMatrix]:
        """The matrix of people's tickets, for the whole client: level 1 goes to an admin, level 2 to the other one."""
        admins = rows.people["admin"]
        return [
            self._matrix_row(
                rows,
                TICKET_CATEGORY,
                level,
                unit,
                value,
                job_id=entities.none_id(),
                bu_id=rows.id,
                assignedfor="PEOPLE",
                assignedperson_id=admins[(level - 1) % len(admins)].pk,
                body=f"Nobody has solved this for {value} {unit.lower()}(s).",
            )
            for level, (unit, value) in enumerate(ESCALATION_STEPS, start=1)
        ]

    def _job(self, rows: ClientRows, kind: Kind, *, category: str, **columns: Any) -> Job:
        none_id = entities.none_id()
        fromdate, uptodate = validity(self.day, kind.identifier)
        defaults = {"people_id": none_id, "pgroup_id": none_id, "sgroup_id": none_id}
        return entities.Plan(
            jobdesc=columns["jobname"],
            identifier=kind.identifier,
            fromdate=fromdate,
            uptodate=uptodate,
            cron=kind.cron,
            planduration=kind.duration_min,
            gracetime=kind.before_min,
            expirytime=kind.after_min,
            geofence_id=none_id,
            parent_id=none_id,
            client_id=rows.id,
            ticketcategory=rows.words[category],
            scantype="QR" if kind.is_tour else "SKIP",
            priority="MEDIUM",
            other_info=_tour_facts() if kind.is_tour else {},
            **rows.stamps(fromdate),
            **{**defaults, **columns},
        )

    def _assignee(self, rows: ClientRows, plan: Plan) -> dict[str, int]:
        if plan.kind is CLIENT_KIND:
            assert rows.site_group is not None  # noqa: S101 - made with the client
            return {"people_id": rows.site_people[0]["guard"][0].pk, "sgroup_id": rows.site_group.pk}
        if rows.guard_group is not None and plan.site == GROUP_SITE:
            return {"pgroup_id": rows.guard_group.pk}
        role = "technician" if plan.kind.identifier == "PPM" else "guard"
        staff = rows.site_people[plan.site or 0][role]
        return {"people_id": staff[plan.seq % len(staff)].pk}

    def _qset(self, rows: ClientRows, kind: Kind) -> int:
        return rows.qsets["ppm" if kind.identifier == "PPM" else "task"].pk

    def _matrix_row(
        self, rows: ClientRows, template: str, level: int, unit: str, value: int, **columns: Any
    ) -> EscalationMatrix:
        none_id = entities.none_id()
        return entities.EscalationMatrix(
            escalationtemplate=rows.words[template],
            level=level,
            frequency=unit,
            frequencyvalue=value,
            notify=f"desk@{domain(rows.client)}",
            client_id=rows.id,
            **{"assignedperson_id": none_id, "assignedgroup_id": none_id, **columns},
            **rows.stamps(validity(self.day, "PPM")[0]),
        )


def _tour_facts() -> dict[str, Any]:
    return {
        "tour_frequency": 1,
        "is_randomized": False,
        "breaktime": 0,
        "distance": None,
        "istimebound": True,
        "isdynamic": False,
        "deviation": False,
        "email_sent": False,
        "ticket_generated": False,
        "autoclosed_by_server": False,
    }
