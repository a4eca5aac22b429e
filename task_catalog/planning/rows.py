"""From drafts to rows of the company's tables (R-SCH 4, 5, 6, 13): one function a table, each makes many."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from task_catalog import entities
from task_catalog.planning.drafts import Draft
from task_catalog.planning.material import Material, info_of
from task_catalog.ports import places
from task_catalog.rules import scheduling as rules

if TYPE_CHECKING:
    from task_catalog.facility.models import Job, Jobneed, Reminder

DESCRIPTION_CHARS = 200


class RowMaker:
    """Makes the rows of one plan, as of one moment (UTC, whole seconds)."""

    def __init__(self, plan: Job, material: Material, moment: datetime) -> None:
        self._plan = plan
        self._material = material
        self._moment = moment
        self._none_id = entities.none_id()
        self._info = info_of(plan)
        self._zero_point = places.zero_point(entities.Occurrence._meta.get_field("gpslocation"))

    def roots(self, drafts: Iterable[Draft]) -> list[Jobneed]:
        """The occurrence of each draft."""
        common = {
            "jobdesc": self._plan.jobname[:DESCRIPTION_CHARS],
            "parent_id": self._none_id,
            "seqno": 0,
            "gpslocation": self._zero_point,
            **self._as_planned(self._plan),
        }
        return [
            entities.Occurrence(plandatetime=draft.planned_at, expirydatetime=draft.expires_at, **common)
            for draft in drafts
        ]

    def stops(self, roots: Sequence[Jobneed], drafts: Sequence[Draft]) -> list[Jobneed]:
        """The stops of all tours, in order; the tours have ids by now."""
        common = {stop.plan.pk: self._of_stop(stop.plan) for draft in drafts for stop in draft.stops}
        return [
            entities.Occurrence(
                parent_id=root.pk,
                seqno=seqno,
                plandatetime=stop.planned_at,
                expirydatetime=stop.expires_at,
                **common[stop.plan.pk],
            )
            for root, draft in zip(roots, drafts, strict=True)
            for seqno, stop in enumerate(draft.stops)
        ]

    def questions(
        self, roots: Sequence[Jobneed], stops: Sequence[Jobneed], drafts: Sequence[Draft]
    ) -> list[tuple[int, int]]:
        """What is asked at which occurrence, as ids: a tour's root has the placeholder, its stops have the questions."""
        if self._plan.identifier in rules.TOURS:
            visits = [stop.plan for draft in drafts for stop in draft.stops]
            asked = [pair for row, plan in zip(stops, visits, strict=True) for pair in self._asked(row, plan)]
            return [*((root.pk, self._none_id) for root in roots), *asked]
        return [pair for root in roots for pair in self._asked(root, self._plan)]

    def reminders(
        self, roots: Iterable[Jobneed], reminder_rules: Sequence[rules.ReminderRule], *, now: datetime
    ) -> tuple[list[Reminder], int]:
        """The reminders that lie ahead, and how many do not."""
        found, past = [], 0
        for root in roots:
            if root.plandatetime is None:
                continue
            for rule in reminder_rules:
                moment = rules.remind_at(root.plandatetime, rule, now=now)
                if moment is None:
                    past += 1
                else:
                    found.append(self._reminder(root, root.plandatetime, rule, moment))
        return found, past

    def _as_planned(self, plan: Job) -> dict[str, Any]:
        """What occurrences and stops have in common; `plan` is the tour's plan or that of the stop."""
        root = self._plan
        return {
            "jobtype": "SCHEDULE",
            "jobstatus": "ASSIGNED",
            "frequency": "NONE",
            "remarks": "",
            "performedby_id": self._none_id,
            "ticket_id": self._none_id,
            "receivedonserver": self._moment,
            "multifactor": self._multifactor(plan),
            "job_id": root.pk,
            "identifier": root.identifier,
            "scantype": root.scantype,
            "gracetime": root.gracetime,
            "pgroup_id": root.pgroup_id,
            "sgroup_id": root.sgroup_id,
            "other_info": self._info,
            "asset_id": plan.asset_id,
            "qset_id": plan.qset_id,
            "people_id": plan.people_id,
            "priority": plan.priority,
            "ticketcategory_id": plan.ticketcategory_id,
            "client_id": plan.client_id,
            "bu_id": plan.bu_id,
            **self._stamps(plan),
        }

    def _of_stop(self, plan: Job) -> dict[str, Any]:
        site = self._material.sites.get(plan.bu_id or 0)
        point = site.gpslocation if site is not None else None
        return {
            "jobdesc": self._stop_description(plan)[:DESCRIPTION_CHARS],
            "gpslocation": point or self._zero_point,
            **self._as_planned(plan),
        }

    def _stop_description(self, plan: Job) -> str:
        if self._plan.identifier == rules.EXTERNALTOUR:
            group = self._material.group_names.get(self._plan.sgroup_id or 0, "-")
            site = self._material.sites.get(plan.bu_id or 0)
            return f"{group} - {site.solid} - {site.buname}" if site is not None else f"{group} - {plan.jobname}"
        asset = self._material.asset(plan.asset_id)
        return f"{asset.assetname if asset is not None else '-'} - {plan.jobname}"

    def _multifactor(self, plan: Job) -> Any:
        asset = self._material.asset(plan.asset_id)
        return rules.multifactor(None if asset is None else asset.asset_json)

    def _asked(self, row: Jobneed, plan: Job) -> list[tuple[int, int]]:
        return [(row.pk, place_id) for place_id in self._material.questions.get(plan.qset_id or 0, ())]

    def _reminder(self, root: Jobneed, planned: datetime, rule: rules.ReminderRule, moment: datetime) -> Reminder:
        plan = self._plan
        return entities.Reminder(
            description=plan.jobname,
            bu_id=plan.bu_id,
            asset_id=plan.asset_id,
            qset_id=plan.qset_id,
            people_id=plan.people_id,
            group_id=plan.pgroup_id,
            priority=plan.priority,
            reminderdate=moment,
            reminderin=rule.unit,
            reminderbefore=rule.value,
            job_id=plan.pk,
            jobneed_id=root.pk,
            plandatetime=planned,
            mailids=rule.mail_ids,
            status="",
            **self._stamps(plan),
        )

    def _stamps(self, plan: Job) -> dict[str, Any]:
        return {
            "cuser_id": plan.cuser_id,
            "muser_id": plan.muser_id,
            "ctzoffset": plan.ctzoffset,
            "cdtz": self._moment,
            "mdtz": self._moment,
        }
