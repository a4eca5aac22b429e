"""Reads and makes points, whether a table keeps them as text or as geometry.

The facility's own tables keep "latitude,longitude"; another application may have PostGIS columns, whose points have
`x` (longitude) and `y` (latitude) and are assigned as text, longitude first.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from django.db import models

from task_catalog.rules.fences import inside
from task_catalog.rules.routes import Point

_NOWHERE = "0.0,0.0"
_NOWHERE_AS_GEOMETRY = "SRID=4326;POINT (0 0)"


def latlng(place: Any) -> Point | None:
    """A column's value as latitude and longitude; None when it says nothing that could be on the globe.

    (0, 0) is what stands for "not known" and so is None too.
    """
    if place is None or place == "":
        return None
    try:
        if isinstance(place, str):
            latitude, longitude = (float(part) for part in place.split(","))
        else:
            latitude, longitude = float(place.y), float(place.x)
    except (AttributeError, TypeError, ValueError):
        return None
    on_the_globe = math.isfinite(latitude) and abs(latitude) <= 90 and abs(longitude) <= 180
    return (latitude, longitude) if on_the_globe and (latitude, longitude) != (0.0, 0.0) else None


def contains(area: Any, place: Any) -> bool | None:
    """Whether an area's column holds a place's column, the border included; None when either says nothing.

    An area as text is points, "latitude,longitude", separated by blanks; as geometry a polygon, holes and several parts
    included.
    """
    point = latlng(place)
    if point is None:
        return None
    polygons = _polygons(area)
    if not polygons:
        return None
    return any(inside(outer, point) and not any(inside(hole, point) for hole in holes) for outer, *holes in polygons)


def _polygons(area: Any) -> list[list[list[Point]]]:
    """The parts of an area, each its outer border and its holes; empty when it cannot be read."""
    if isinstance(area, str):
        corners = [latlng(corner) for corner in area.split()]
        known = [corner for corner in corners if corner is not None]
        return [[known]] if len(known) == len(corners) >= 3 else []
    try:
        parts = area.coords if getattr(area, "geom_type", "Polygon") == "MultiPolygon" else [area.coords]
        return [[[(float(y), float(x)) for x, y, *_ in ring] for ring in part] for part in parts]
    except (AttributeError, TypeError, ValueError):
        return []


def zero_point(field: models.Field[Any, Any]) -> str:
    """What to store in a column for a point that nobody knows: (0, 0), in the column's own notation."""
    return _NOWHERE_AS_GEOMETRY if hasattr(field, "geom_type") else _NOWHERE


def as_stored(field: models.Field[Any, Any], points: Sequence[Point]) -> str:
    """A point, or the points of a path, in the column's own notation."""
    kind = getattr(field, "geom_type", None)
    if kind is None:
        return " ".join(f"{latitude},{longitude}" for latitude, longitude in points)
    inside = ", ".join(f"{longitude} {latitude}" for latitude, longitude in points)
    return f"SRID=4326;{kind} ({inside})"
