"""Is a place inside an area? Flat geometry on latitudes and longitudes, which is right for areas that one can walk around."""

from __future__ import annotations

from collections.abc import Sequence

from task_catalog.rules.routes import Point

_ON_THE_LINE = 1e-9
"""Degrees; a tenth of a millimetre."""


def inside(corners: Sequence[Point], place: Point) -> bool:
    """Whether a place (latitude, longitude) is in the area with these corners, or on its border.

    An area may lie across the 180th meridian, if it is narrower than half the globe; one of fewer than three corners holds
    nothing.
    """
    if len(corners) < 3:
        return False
    # Longitudes as seen from the first corner, so that nothing jumps by 360 degrees inside the area.
    east = corners[0][1]
    here = _turned(place[1] - east)
    ring = [(latitude - place[0], _turned(longitude - east) - here) for latitude, longitude in corners]
    is_inside = False
    for (y1, x1), (y2, x2) in zip(ring, [*ring[1:], ring[0]], strict=True):
        if _is_on(y1, x1, y2, x2):
            return True
        if (y1 > 0) != (y2 > 0) and x1 + (x2 - x1) * (0 - y1) / (y2 - y1) > 0:
            is_inside = not is_inside
    return is_inside


def _turned(degrees: float) -> float:
    return (degrees + 180.0) % 360.0 - 180.0


def _is_on(y1: float, x1: float, y2: float, x2: float) -> bool:
    """Whether (0, 0) lies between two corners."""
    if abs(x1 * y2 - x2 * y1) > _ON_THE_LINE * max(abs(y2 - y1), abs(x2 - x1), _ON_THE_LINE):
        return False
    low_y, high_y, low_x, high_x = min(y1, y2), max(y1, y2), min(x1, x2), max(x1, x2)
    return low_y <= _ON_THE_LINE and high_y >= -_ON_THE_LINE and low_x <= _ON_THE_LINE and high_x >= -_ON_THE_LINE
