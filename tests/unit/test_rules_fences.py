"""Inside or outside of an area, the border included."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from task_catalog.ports import places
from task_catalog.rules.fences import inside

SQUARE = [(0.0, 0.0), (0.0, 2.0), (2.0, 2.0), (2.0, 0.0)]
HORSESHOE = [(0.0, 0.0), (0.0, 3.0), (3.0, 3.0), (3.0, 2.0), (1.0, 2.0), (1.0, 1.0), (3.0, 1.0), (3.0, 0.0)]


@pytest.mark.parametrize(
    ("corners", "place", "is_inside"),
    [
        (SQUARE, (1.0, 1.0), True),
        (SQUARE, (3.0, 1.0), False),
        (SQUARE, (1.0, -0.001), False),
        (SQUARE, (0.0, 1.0), True),
        (SQUARE, (2.0, 2.0), True),
        (SQUARE, (2.0, 2.001), False),
        ([*SQUARE, SQUARE[0]], (1.0, 1.0), True),
        (list(reversed(SQUARE)), (1.0, 1.0), True),
        (HORSESHOE, (2.0, 1.5), False),
        (HORSESHOE, (2.0, 0.5), True),
        (HORSESHOE, (0.5, 1.5), True),
        (SQUARE[:2], (0.0, 1.0), False),
        ([], (0.0, 0.0), False),
    ],
)
def test_inside_and_outside(corners, place, is_inside):
    assert inside(corners, place) is is_inside


def test_an_area_across_the_180th_meridian():
    fiji = [(-18.0, 179.0), (-18.0, -179.0), (-16.0, -179.0), (-16.0, 179.0)]

    assert inside(fiji, (-17.0, 179.9))
    assert inside(fiji, (-17.0, -179.9))
    assert not inside(fiji, (-17.0, 178.0))
    assert not inside(fiji, (-17.0, 0.0))


@given(
    st.integers(3, 12),
    st.floats(-60, 60),
    st.floats(-180, 180),
    st.floats(0.01, 0.9),
    st.floats(0, 2 * math.pi),
    st.booleans(),
)
def test_a_regular_polygon_holds_what_is_nearer_than_its_sides_and_nothing_beyond_its_corners(
    sides, latitude, longitude, radius, turn, within
):
    corners = [
        (
            latitude + radius * math.sin(2 * math.pi * n / sides),
            (longitude + radius * math.cos(2 * math.pi * n / sides) + 180) % 360 - 180,
        )
        for n in range(sides)
    ]
    reach = radius * (math.cos(math.pi / sides) * 0.98 if within else 1.02)
    place = (latitude + reach * math.sin(turn), (longitude + reach * math.cos(turn) + 180) % 360 - 180)

    assert inside(corners, place) is within


class Geometry:
    """As GEOS shows it: longitude first."""

    def __init__(self, kind, coords):
        self.geom_type, self.coords = kind, coords


@pytest.mark.parametrize(
    ("area", "place", "answer"),
    [
        ("0,1 0,3 2,3 2,1", "1,2", True),
        ("0,1 0,3 2,3 2,1", "1,4", False),
        ("0,1 0,3 2,3 2,1", None, None),
        ("0,1 0,3 2,3 2,1", "0.0,0.0", None),
        ("", "1,2", None),
        ("0,1 0,3", "1,2", None),
        ("0,1 nonsense 2,3 2,1", "1,2", None),
        (None, "1,2", None),
        (7, "1,2", None),
        (Geometry("Polygon", (((1, 0), (3, 0), (3, 2), (1, 2), (1, 0)),)), "1,2", True),
        (
            Geometry("Polygon", (((1, 0), (9, 0), (9, 8), (1, 8), (1, 0)), ((3, 2), (5, 2), (5, 4), (3, 4), (3, 2)))),
            "3,4",
            False,
        ),
        (
            Geometry("MultiPolygon", ((((50, 50), (51, 50), (51, 51)),), (((1, 0), (3, 0), (3, 2), (1, 2)),))),
            "1,2",
            True,
        ),
    ],
)
def test_columns_of_either_kind_are_read(area, place, answer):
    assert places.contains(area, place) is answer
