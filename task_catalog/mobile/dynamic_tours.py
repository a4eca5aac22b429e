"""The next occurrence of a tour without a schedule: it is made when the former one is done, and has no times (R-SCH 12)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from task_catalog import entities
from task_catalog.mobile.context import Context
from task_catalog.planning import questions
from task_catalog.planning.drafts import Draft, Stop
from task_catalog.planning.material import Material
from task_catalog.planning.rows import RowMaker
from youtility_tasks import effects

if TYPE_CHECKING:
    from task_catalog.facility.models import Jobneed

_NO_TIME: Any = None
"""Nobody plans when such a tour begins; drafts of planned ones have a time."""


def go_on(context: Context, completed: Sequence[Jobneed]) -> None:
    """Make the occurrence that follows each of these, once, in the caller's transaction; not of a plan that has ended."""
    if not completed:
        return
    new = effects.once_many([_key(visit.pk) for visit in completed])
    plan_ids = sorted({visit.job_id or 0 for visit in completed if _key(visit.pk) in new})
    plans = [
        plan
        for plan in entities.Plan.objects.filter(client_id=context.client_id, pk__in=plan_ids, enable=True).order_by(
            "pk"
        )
        if not entities.is_none(plan.pk) and (plan.uptodate is None or plan.uptodate >= context.now)
    ]
    if not plans:
        return
    material = Material.of(context.client_id, plans, now=context.now, horizon=timedelta(0))
    makers = {plan.pk: RowMaker(plan, material, context.moment) for plan in plans}
    drafts = {
        plan.pk: [
            Draft(_NO_TIME, _NO_TIME, tuple(Stop(stop, _NO_TIME, _NO_TIME) for stop in material.stops.get(plan.pk, ())))
        ]
        for plan in plans
    }
    roots = entities.Occurrence.objects.bulk_create([makers[plan.pk].roots(drafts[plan.pk])[0] for plan in plans])
    stops_of = {
        plan.pk: makers[plan.pk].stops([root], drafts[plan.pk]) for plan, root in zip(plans, roots, strict=True)
    }
    entities.Occurrence.objects.bulk_create([stop for plan in plans for stop in stops_of[plan.pk]])
    questions.ask(
        [
            pair
            for plan, root in zip(plans, roots, strict=True)
            for pair in makers[plan.pk].questions([root], stops_of[plan.pk], drafts[plan.pk])
        ]
    )


def _key(visit_id: int) -> str:
    return f"jobneed-after:{visit_id}"
