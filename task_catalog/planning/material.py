"""Everything that planning reads, for a page of plans at once: no query per plan, question or stop (D47)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.db.models import Q, QuerySet

from task_catalog import entities
from task_catalog.models import PlanFingerprint
from task_catalog.rules import scheduling as rules

if TYPE_CHECKING:
    from task_catalog.facility.models import Asset, Job, Jobneed
    from task_catalog.facility.models import Bt as BusinessUnit

EDITABLE = (
    "identifier",
    "enable",
    "parent_id",
    "cron",
    "fromdate",
    "uptodate",
    "ctzoffset",
    "planduration",
    "gracetime",
    "expirytime",
    "asset_id",
    "qset_id",
    "people_id",
    "pgroup_id",
    "sgroup_id",
    "ticketcategory_id",
    "other_info",
)
"""Columns of a plan that decide whether, when and with what it is planned."""
_REFERENCES = ("asset_id", "qset_id", "people_id", "pgroup_id", "sgroup_id", "ticketcategory_id")
_TIMES = ("cron", "fromdate", "uptodate", "ctzoffset", "planduration", "gracetime", "expirytime")


@dataclass(frozen=True, slots=True)
class Material:
    """What belongs to some plans of one client, by id. Another client's rows are not there, whoever points at them."""

    stops: dict[int, list[Job]]
    assets: dict[int, Asset]
    sites: dict[int, BusinessUnit]
    group_names: dict[int, str]
    qset_ids: frozenset[int]
    questions: dict[int, list[int]]
    """Ids of the places of a set's questions, in their order."""
    reminder_rows: dict[int, list[tuple[str, int | None, str | None]]]
    fingerprints: dict[int, str]
    made: dict[int, set[datetime]]
    """P of the roots that exist, from the beginning of the window on."""

    @classmethod
    def of(cls, client_id: int, plans: Sequence[Job], *, now: datetime, horizon: timedelta) -> Material:
        """Read it; nine queries at most, however many plans."""
        ids = [plan.pk for plan in plans]
        stops = _stops(client_id, ids)
        all_plans = [*plans, *(stop for of_tour in stops.values() for stop in of_tour)]
        kinds = {plan.identifier for plan in plans}
        qset_ids = _qset_ids(client_id, (plan.qset_id for plan in all_plans))
        return cls(
            stops=stops,
            assets=_own(entities.Asset.objects.all(), client_id, (plan.asset_id for plan in all_plans)),
            sites=_sites(plan.bu_id for plan in all_plans if plan.parent_id in stops),
            group_names={
                pk: group.groupname
                for pk, group in _own(
                    entities.Group.objects.all(), client_id, (plan.sgroup_id for plan in plans)
                ).items()
            },
            qset_ids=qset_ids,
            questions=_questions(client_id, qset_ids),
            reminder_rows=_reminder_rows(client_id, ids) if kinds & set(rules.MAINTAINED) else {},
            fingerprints=dict(
                PlanFingerprint.objects.filter(client_id=client_id, job_id__in=ids).values_list("job_id", "fingerprint")
            ),
            made=_made(client_id, plans, now, horizon),
        )

    def asset(self, asset_id: int | None) -> Asset | None:
        """The asset, unless the reference points nowhere or to another client's."""
        return None if entities.is_none(asset_id) else self.assets.get(asset_id or 0)

    def schedule(self, plan: Job) -> rules.Schedule:
        """The plan as the rules see it."""
        asset = self.asset(plan.asset_id)
        return rules.Schedule(
            identifier=plan.identifier,
            is_root=entities.is_none(plan.parent_id),
            is_enabled=plan.enable,
            cron=plan.cron or "",
            starts_at=plan.fromdate,
            ends_at=plan.uptodate,
            duration_min=plan.planduration,
            before_min=plan.gracetime,
            after_min=plan.expirytime,
            names_asset=not entities.is_none(plan.asset_id),
            has_asset=asset is not None,
            asset_status="" if asset is None else asset.runningstatus,
            has_qset=plan.qset_id in self.qset_ids,
            other_info=info_of(plan),
        )

    def fingerprint(self, plan: Job) -> str:
        """What stands for everything that decides how this plan is planned."""
        relevant: dict[str, Any] = {name: _reference(plan, name) for name in _REFERENCES}
        relevant.update((name, getattr(plan, name)) for name in _TIMES)
        stops = [
            (stop.seqno, stop.expirytime, *(_reference(stop, name) for name in ("asset_id", "qset_id", "bu_id")))
            for stop in self.stops.get(plan.pk, ())
        ]
        return rules.fingerprint(relevant, info_of(plan), stops)


def info_of(plan: Job) -> dict[str, Any]:
    """`other_info`, whatever somebody has stored there."""
    return plan.other_info if isinstance(plan.other_info, dict) else {}


def roots_of(client_id: int, plan_ids: Collection[int]) -> QuerySet[Jobneed]:
    """The planned occurrences of these plans; not their stops, which name the plan too."""
    return entities.Occurrence.objects.filter(
        entities.points_nowhere("parent"), client_id=client_id, job_id__in=plan_ids, jobtype="SCHEDULE"
    ).exclude(pk=entities.none_id())


def _reference(row: Job, name: str) -> int | None:
    value: int | None = getattr(row, name)
    return None if entities.is_none(value) else value


def _stops(client_id: int, tour_ids: Collection[int]) -> dict[int, list[Job]]:
    found: dict[int, list[Job]] = defaultdict(list)
    stops = entities.Plan.objects.filter(client_id=client_id, parent_id__in=tour_ids, enable=True)
    for stop in stops.exclude(pk=entities.none_id()).order_by("parent_id", "seqno", "pk"):
        found[stop.parent_id or 0].append(stop)
    return dict(found)


def _own(rows: QuerySet[Any], client_id: int, ids: Iterable[int | None]) -> dict[int, Any]:
    wanted = {pk for pk in ids if not entities.is_none(pk)}
    return {row.pk: row for row in rows.filter(client_id=client_id, pk__in=wanted)} if wanted else {}


def _sites(ids: Iterable[int | None]) -> dict[int, BusinessUnit]:
    wanted = {pk for pk in ids if pk is not None and not entities.is_none(pk)}
    return {site.pk: site for site in entities.BusinessUnit.objects.filter(pk__in=wanted)} if wanted else {}


def _qset_ids(client_id: int, ids: Iterable[int | None]) -> frozenset[int]:
    """Which of these question sets there are for the client: its own, and those that belong to no client."""
    wanted = {pk for pk in ids if pk is not None and not entities.is_none(pk)}
    whose = Q(client_id=client_id) | entities.points_nowhere("client")
    return frozenset(entities.QuestionSet.objects.filter(whose, pk__in=wanted).values_list("pk", flat=True))


def _questions(client_id: int, qset_ids: Iterable[int | None]) -> dict[int, list[int]]:
    """The places of each set's questions in their order; also those that belong to no client."""
    found: dict[int, list[int]] = defaultdict(list)
    wanted = {pk for pk in qset_ids if pk is not None and not entities.is_none(pk)}
    whose = Q(client_id=client_id) | entities.points_nowhere("client")
    places = entities.QuestionSetBelonging.objects.filter(whose, qset_id__in=wanted).exclude(pk=entities.none_id())
    for qset_id, pk in places.order_by("qset_id", "seqno", "pk").values_list("qset_id", "pk"):
        found[qset_id or 0].append(pk)
    return dict(found)


def _reminder_rows(client_id: int, plan_ids: Collection[int]) -> dict[int, list[tuple[str, int | None, str | None]]]:
    found: dict[int, list[tuple[str, int | None, str | None]]] = defaultdict(list)
    rows = entities.EscalationMatrix.objects.filter(client_id=client_id, job_id__in=plan_ids).order_by("pk")
    for plan_id, unit, value, address in rows.values_list("job_id", "frequency", "frequencyvalue", "notify"):
        found[plan_id or 0].append((unit, value, address))
    return dict(found)


def _made(client_id: int, plans: Sequence[Job], now: datetime, horizon: timedelta) -> dict[int, set[datetime]]:
    found: dict[int, set[datetime]] = defaultdict(set)
    longest_grace = timedelta(minutes=max((plan.gracetime for plan in plans), default=0))
    try:
        since = now - longest_grace
    except OverflowError:
        since = now - timedelta(days=36_500)
    rows = roots_of(client_id, [plan.pk for plan in plans]).filter(
        plandatetime__gte=since, plandatetime__lt=now + horizon
    )
    for plan_id, planned in rows.values_list("job_id", "plandatetime"):
        if planned is not None:
            found[plan_id or 0].add(planned)
    return dict(found)
