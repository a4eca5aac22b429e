"""What the planning sweeps must make (R-SCH): roots, the stops of tours, question rows, reminders."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from task_catalog.company_day.definitions import (
    CHECKPOINT_QUESTIONS,
    PPM_QUESTIONS,
    REMINDER_RULES,
    TASK_QUESTIONS,
    Plan,
    producing_plans,
    validity,
)

from .calendar import fires, sweeps

_HORIZON = {"create_job": timedelta(hours=48), "create_ppm_job": timedelta(days=400)}
_MINUTES = {"MINUTE": 1, "HOUR": 60, "DAY": 1440}


@dataclass(frozen=True, slots=True)
class Root:
    """One occurrence that must exist: planned at P, over at E, made by the sweep of `made_at`."""

    plan: Plan
    planned_at: datetime
    expires_at: datetime
    made_at: datetime
    stops: tuple[tuple[datetime, datetime], ...]

    @property
    def details(self) -> int:
        """Question rows of the root and its stops; a tour's root has one placeholder."""
        if self.plan.kind.is_tour:
            return 1 + len(self.stops) * CHECKPOINT_QUESTIONS
        return PPM_QUESTIONS if self.plan.kind.identifier == "PPM" else TASK_QUESTIONS


@dataclass(frozen=True, slots=True)
class Reminder:
    """A reminder of a maintenance root; one that would lie in the past is not made."""

    root: Root
    remind_at: datetime
    is_made: bool


def planned_roots(day: date, scale: int) -> dict[Plan, list[Root]]:
    """All roots of the day by plan, each list in order of P."""
    return {plan: _roots_of(plan, day) for plan in producing_plans(scale)}


def reminders(roots: dict[Plan, list[Root]]) -> list[Reminder]:
    """The reminders of all maintenance roots, also those that are skipped as past."""
    found = []
    for plan, of_plan in roots.items():
        if plan.kind.identifier != "PPM":
            continue
        for root in of_plan:
            for unit, value in REMINDER_RULES:
                remind_at = root.planned_at - timedelta(minutes=value * _MINUTES[unit])
                found.append(Reminder(root, remind_at, is_made=remind_at > root.made_at))
    return found


def _roots_of(plan: Plan, day: date) -> list[Root]:
    task = "create_ppm_job" if plan.kind.identifier == "PPM" else "create_job"
    fromdate, uptodate = validity(day, plan.kind.identifier)
    made: dict[datetime, Root] = {}
    for now in sweeps(task, day):
        window = max(now, fromdate), min(now + _HORIZON[task], uptodate)
        for instant in fires(plan.kind.cron, plan.client.offset_min, *window):
            if instant not in made:
                made[instant] = _root(plan, instant, now)
    return sorted(made.values(), key=lambda root: root.planned_at)


def _root(plan: Plan, instant: datetime, now: datetime) -> Root:
    kind = plan.kind
    planned_at = instant - timedelta(minutes=kind.before_min)
    expires_at = instant + timedelta(minutes=kind.duration_min + kind.after_min)
    stops = []
    reached = planned_at
    for stop in range(plan.stops):
        begins = reached + timedelta(minutes=plan.travel_min(stop))
        reached = begins + timedelta(minutes=kind.duration_min + kind.before_min)
        stops.append((begins, reached))
    return Root(plan, planned_at, reached if stops else expires_at, now, tuple(stops))
