"""The way of a tour: in which order its stops are visited and how long each leg takes (catalog.md R-SCH 7)."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

Stop = TypeVar("Stop")
Point = tuple[float, float]
"""Latitude and longitude, in degrees."""

EARTH_RADIUS_KM = 6371.0088
MOST_EXACT = 8
"""Stops between the two ends up to which every order is weighed; beyond that a good order is improved step by step."""
_ROUNDS = 20


@dataclass(frozen=True, slots=True)
class Leg:
    """The way to a stop from the one before; nothing for the first."""

    distance_km: float
    duration_s: int

    @property
    def minutes(self) -> int:
        """Whole minutes; what is begun does not count."""
        return self.duration_s // 60


NO_WAY = Leg(0.0, 0)


@dataclass(frozen=True, slots=True)
class Route:
    """The stops by their position in what was asked for, in the order of the tour, and the leg to each."""

    order: tuple[int, ...]
    legs: tuple[Leg, ...]

    def __post_init__(self) -> None:
        if sorted(self.order) != list(range(len(self.legs))):
            raise ValueError(f"{self!r}: every stop is visited once and has one leg")

    def back(self) -> Route:
        """The same way in the other direction; whoever stands at the last stop begins there."""
        return Route(self.order[::-1], (NO_WAY, *self.legs[:0:-1]))


@dataclass(frozen=True, slots=True)
class Visit:
    """One stop of a tour that may go round several times: which one, and the minutes before it."""

    stop: int
    travel_min: int
    break_min: int = 0


def great_circle_km(here: Point, there: Point) -> float:
    """Length of the shortest line on the globe between two points."""
    latitude, longitude, other_latitude, other_longitude = map(math.radians, (*here, *there))
    across = math.sin((other_latitude - latitude) / 2) ** 2
    along = math.sin((other_longitude - longitude) / 2) ** 2
    squared = across + math.cos(latitude) * math.cos(other_latitude) * along
    return 2 * EARTH_RADIUS_KM * math.asin(math.sqrt(min(1.0, squared)))


def drive(points: Sequence[Point], distance_km: Callable[[Point, Point], float], *, speed_kmh: float) -> Route:
    """The shortest way through all points from the first to the last, at one speed; distances to two decimals."""
    order = shortest_order([[distance_km(here, there) for there in points] for here in points])
    legs = [NO_WAY] if order else []
    for before, stop in itertools.pairwise(order):
        km = distance_km(points[before], points[stop])
        legs.append(Leg(round(km, 2), int(km / speed_kmh * 3600)))
    return Route(tuple(order), tuple(legs))


def shortest_order(distances: Sequence[Sequence[float]]) -> list[int]:
    """The order of visit that is shortest by a table of distances; the first and the last stay the ends.

    Exact for up to `MOST_EXACT` stops between the ends. Of equally short orders the one nearest to the given one.
    """
    size = len(distances)
    if size <= 3:
        return list(range(size))
    return _exact(distances) if size - 2 <= MOST_EXACT else _improved(distances)


def shuffled(stops: Sequence[Stop], *, job_id: int, planned_at: datetime) -> list[Stop]:
    """The stops in an order that looks random and is always the same for one plan and plan time (D10).

    A retry, on whatever machine, builds the same tour.
    """
    mixed = list(stops)
    seed = f"{job_id}:{planned_at.astimezone(UTC).isoformat()}"
    random.Random(seed).shuffle(mixed)  # noqa: S311 - an order of visits, not a secret
    return mixed


def rounds(route: Route, *, frequency: int, break_min: int) -> list[Visit]:
    """The visits of a tour that goes its route once, and back for each repeat, after a break (D10).

    Every repeat runs in reverse, so the third round begins at the far end again, as the devices know it; the way back
    there is not counted.
    """
    visits: list[Visit] = []
    for number in range(frequency):
        way = route.back() if number else route
        for position, (stop, leg) in enumerate(zip(way.order, way.legs, strict=True)):
            visits.append(Visit(stop, leg.minutes, break_min if number and not position else 0))
    return visits


def _exact(distances: Sequence[Sequence[float]]) -> list[int]:
    """Held and Karp: the best way to each stop through each set of middle stops, from small sets to large ones."""
    last = len(distances) - 1
    middle = range(1, last)
    best: dict[tuple[int, int], tuple[float, tuple[int, ...]]] = {
        (1 << stop, stop): (distances[0][stop], (0, stop)) for stop in middle
    }
    for seen in range(1, 1 << last):
        for stop in middle:
            if (seen, stop) not in best:
                continue
            length, way = best[seen, stop]
            for onward in middle:
                if seen & 1 << onward:
                    continue
                there = (seen | 1 << onward, onward)
                candidate = (length + distances[stop][onward], (*way, onward))
                if there not in best or candidate < best[there]:
                    best[there] = candidate
    everything = sum(1 << stop for stop in middle)
    _, way = min((best[everything, stop][0] + distances[stop][last], best[everything, stop][1]) for stop in middle)
    return [*way, last]


def _improved(distances: Sequence[Sequence[float]]) -> list[int]:
    """Always to the nearest stop next, then turn round stretches as long as that makes the way shorter."""
    last = len(distances) - 1
    way, left = [0], set(range(1, last))
    while left:
        nearest = min(left, key=lambda stop: (distances[way[-1]][stop], stop))
        way.append(nearest)
        left.remove(nearest)
    way.append(last)
    for _ in range(_ROUNDS):
        if not _turn_a_stretch(way, distances):
            break
    return way


def _turn_a_stretch(way: list[int], distances: Sequence[Sequence[float]]) -> bool:
    turned = False
    for begin in range(1, len(way) - 2):
        for end in range(begin + 1, len(way) - 1):
            before, first, final, after = way[begin - 1], way[begin], way[end], way[end + 1]
            now = distances[before][first] + distances[final][after]
            then = distances[before][final] + distances[first][after]
            if then < now - 1e-9:
                way[begin : end + 1] = way[begin : end + 1][::-1]
                turned = True
    return turned
