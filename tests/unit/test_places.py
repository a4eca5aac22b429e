"""Points are read and made in the notation of whoever owns the column."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from django.db import models
from hypothesis import given
from hypothesis import strategies as st

from task_catalog.facility.models import Jobneed
from task_catalog.ports import places


@given(st.floats(-90, 90), st.floats(-180, 180))
def test_text_and_geometry_say_the_same(latitude, longitude):
    as_text = places.latlng(f"{latitude!r},{longitude!r}")
    as_geometry = places.latlng(SimpleNamespace(x=longitude, y=latitude))

    assert as_text == as_geometry
    assert as_text == (None if latitude == longitude == 0 else (latitude, longitude))


@pytest.mark.parametrize(
    "place",
    [None, "", "0.0,0.0", "0,0", "somewhere", "1", "1,2,3", "nan,1", "1,nan", "inf,1", "91,0", "0,181", 7, object()],
)
def test_what_is_no_place_is_none(place):
    assert places.latlng(place) is None


def test_blanks_around_numbers_do_no_harm():
    assert places.latlng(" 19.1 , 72.8 ") == (19.1, 72.8)


def test_an_unknown_point_is_written_as_the_column_wants_it():
    class PointField(models.Field):
        geom_type = "POINT"

    assert places.zero_point(Jobneed._meta.get_field("gpslocation")) == "0.0,0.0"
    assert places.zero_point(PointField()) == "SRID=4326;POINT (0 0)"


def test_points_and_paths_are_written_as_the_column_wants_them():
    class PointField(models.Field):
        geom_type = "POINT"

    class LineField(models.Field):
        geom_type = "LINESTRING"

    ways = [(18.5, 73.8), (18.6, 73.9)]

    assert places.as_stored(Jobneed._meta.get_field("gpslocation"), ways[:1]) == "18.5,73.8"
    assert places.as_stored(Jobneed._meta.get_field("journeypath"), ways) == "18.5,73.8 18.6,73.9"
    assert places.as_stored(PointField(), ways[:1]) == "SRID=4326;POINT (73.8 18.5)"
    assert places.as_stored(LineField(), ways) == "SRID=4326;LINESTRING (73.8 18.5, 73.9 18.6)"
