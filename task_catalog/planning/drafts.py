"""Occurrences as they will be, before anything is written: times, stops and the way between them.

Made outside transactions, because finding a way may mean asking somebody else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from task_catalog import entities
from task_catalog.planning.material import Material
from task_catalog.ports import places
from task_catalog.ports import routes as way_finder
from task_catalog.rules import routes
from task_catalog.rules import scheduling as rules
from task_catalog.rules.routes import Point, Route, Visit
from youtility_tasks import Transient, errors

if TYPE_CHECKING:
    from task_catalog.facility.models import Job


class Unplannable(Exception):
    """A plan that cannot be planned until somebody corrects it; `reason` is the code for it."""

    def __init__(self, reason: str, told: str) -> None:
        super().__init__(told)
        self.reason = reason


class RouteFailed(Transient):
    """Whoever finds the way did not; the next attempt asks again."""


@dataclass(frozen=True, slots=True)
class Stop:
    """One visit of a tour."""

    plan: Job
    planned_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Draft:
    """One occurrence of a plan, with its stops if it is a tour."""

    planned_at: datetime
    expires_at: datetime
    stops: tuple[Stop, ...] = ()


class Drafter:
    """Drafts occurrences, and remembers the ways that it has found; make one a run."""

    def __init__(self) -> None:
        self._ways: dict[tuple[Point, ...], Route] = {}

    def draft(
        self, plan: Job, schedule: rules.Schedule, material: Material, instants: Sequence[datetime]
    ) -> list[Draft]:
        """One draft for each cron instant.

        Raises Unplannable for a tour whose stops cannot be visited, RouteFailed when nobody can say how to get there.
        """
        stops = material.stops.get(plan.pk, []) if schedule.is_tour else []
        return [self._one(plan, schedule, material, stops, instant) for instant in instants]

    def _one(
        self, plan: Job, schedule: rules.Schedule, material: Material, stops: list[Job], instant: datetime
    ) -> Draft:
        planned = rules.planned_at(instant, schedule)
        if not stops:
            return Draft(planned, rules.expires_at(instant, schedule))
        order = stops
        if rules.needs_route(schedule.other_info, len(stops)):
            if rules.is_randomized(schedule.other_info):
                order = routes.shuffled(stops, job_id=plan.pk, planned_at=planned)
            visits = self._computed(plan, schedule, material, order)
        else:
            visits = rules.fixed_way(stop.expirytime for stop in stops)
        times = rules.chain(planned, visits, stay_min=schedule.duration_min + schedule.before_min)
        visited = tuple(Stop(order[visit.stop], *when) for visit, when in zip(visits, times, strict=True))
        return Draft(planned, visited[-1].expires_at, visited)

    def _computed(self, plan: Job, schedule: rules.Schedule, material: Material, order: Sequence[Job]) -> list[Visit]:
        frequency = rules.frequency(schedule.other_info)
        if frequency * len(order) > rules.MOST_STOPS:
            raise Unplannable(
                "too_many_stops",
                f"{frequency} rounds of {len(order)} stops; a tour has at most {rules.MOST_STOPS} visits",
            )
        points = tuple(_point(stop, schedule, material) for stop in order)
        if points not in self._ways:
            self._ways[points] = _ask(plan, points)
        return routes.rounds(
            self._ways[points], frequency=frequency, break_min=rules.break_minutes(schedule.other_info)
        )


def check_stops(schedule: rules.Schedule, material: Material, stops: Sequence[Job]) -> None:
    """Raise Unplannable if a stop has nothing to scan or nothing to ask."""
    for stop in stops:
        needs_checkpoint = schedule.identifier == rules.INTERNALTOUR or not entities.is_none(stop.asset_id)
        if needs_checkpoint and material.asset(stop.asset_id) is None:
            raise Unplannable("no_asset", f"stop {stop.pk} has no checkpoint of this client")
        if stop.qset_id not in material.qset_ids:
            raise Unplannable("no_qset", f"stop {stop.pk} has no question set of this client")


def _point(stop: Job, schedule: rules.Schedule, material: Material) -> Point:
    """Where a stop is: at its checkpoint, else at its site."""
    asset, site = material.asset(stop.asset_id), material.sites.get(stop.bu_id or 0)
    at_asset = places.latlng(asset.gpslocation) if asset is not None else None
    point = at_asset or (places.latlng(site.gpslocation) if site is not None else None)
    if point is None:
        raise Unplannable("no_location", f"stop {stop.pk} is nowhere: neither its checkpoint nor its site has a point")
    return point


def _ask(plan: Job, points: tuple[Point, ...]) -> Route:
    try:
        way = way_finder.route(points)
    except errors.SoftTimeLimit:
        raise
    except Exception as error:
        raise RouteFailed(f"plan {plan.pk}: no way through {len(points)} stops: {error}") from error
    if len(way.order) != len(points):
        raise RouteFailed(f"plan {plan.pk}: the way found has {len(way.order)} stops, asked for were {len(points)}")
    return way
