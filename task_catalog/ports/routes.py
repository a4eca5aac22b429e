"""How far it is from stop to stop, and how long that takes.

The default needs nothing but coordinates. A directions service is plugged in by naming a class in
`TASK_CATALOG["route_provider"]`; whatever it raises makes the tour wait for the next attempt.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Protocol

from django.utils.module_loading import import_string

from task_catalog.conf import catalog
from task_catalog.rules import routes
from task_catalog.rules.routes import Point, Route


class RouteProvider(Protocol):
    """Something that finds the way."""

    def route(self, points: Sequence[Point]) -> Route:
        """The way through all points that is quickest to drive; the first and the last stay the ends.

        Called outside transactions, once for each sequence of points in a run.
        """
        ...


class GreatCircle:
    """Straight lines on the globe, driven at `TASK_CATALOG["route_speed_kmh"]`."""

    def route(self, points: Sequence[Point]) -> Route:
        return routes.drive(points, routes.great_circle_km, speed_kmh=catalog().route_speed_kmh)


def route(points: Sequence[Point]) -> Route:
    """The way through the points, by the provider that `TASK_CATALOG["route_provider"]` names."""
    return _provider(catalog().route_provider).route(points)


@functools.cache
def _provider(path: str) -> RouteProvider:
    provider: RouteProvider = import_string(path)()
    return provider
