"""What devices write into records, value by value."""

from __future__ import annotations

import contextlib
import struct
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from task_catalog.rules import records
from task_catalog.rules.records import Column, Flaw

KEY = UUID("5b2e3c39-8c4f-4a65-9d0a-3a1b2c3d4e5f")


def column(kind: str, **limits: Any) -> Column:
    return Column(name=limits.pop("name", "c"), kind=kind, **limits)


@pytest.mark.parametrize(
    ("kind", "given_", "read"),
    [
        ("instant", "2025-03-03 10:05:00", datetime(2025, 3, 3, 10, 5, tzinfo=UTC)),
        ("instant", "2025-03-03 10:05:00+00:00", datetime(2025, 3, 3, 10, 5, tzinfo=UTC)),
        ("instant", "2025-03-03T10:05:00Z", datetime(2025, 3, 3, 10, 5, tzinfo=UTC)),
        ("instant", "2025-03-03 10:05:00+05:30", datetime(2025, 3, 3, 4, 35, tzinfo=UTC)),
        ("instant", "None", None),
        ("instant", "", None),
        ("instant", None, None),
        ("date", "2025-03-03", date(2025, 3, 3)),
        ("date", "2025-03-03 10:00:00", date(2025, 3, 3)),
        ("time", "10:05:00", time(10, 5)),
        ("whole", 5, 5),
        ("whole", "5", 5),
        ("whole", 5.0, 5),
        ("reference", "None", None),
        ("truth", "True", True),
        ("truth", 0, False),
        ("truth", "false", False),
        ("number", "1.5", 1.5),
        ("json", '{"a": 1}', {"a": 1}),
        ("json", {"a": [1]}, {"a": [1]}),
        ("list", "BUS, TRAIN,", ["BUS", "TRAIN"]),
        ("list", '["BUS", "TRAIN"]', ["BUS", "TRAIN"]),
        ("list", ["BUS"], ["BUS"]),
        ("uuid", str(KEY).upper(), KEY),
        ("point", "18.52,73.85", (18.52, 73.85)),
        ("point", " -18.5 , 73 ", (-18.5, 73.0)),
        ("point", "POINT (73.85 18.52)", (18.52, 73.85)),
        ("point", "SRID=4326;POINT(73.85 18.52)", (18.52, 73.85)),
        ("point", "None", None),
        ("path", "18.5,73.8 18.6,73.9", [(18.5, 73.8), (18.6, 73.9)]),
        ("path", "LINESTRING (73.8 18.5, 73.9 18.6)", [(18.5, 73.8), (18.6, 73.9)]),
        ("text", "x", "x"),
        ("text", "", ""),
        ("text", "None", ""),
        ("text", 87, "87"),
    ],
)
def test_values_are_read_as_devices_mean_them(kind, given_, read):
    assert records.cleaned(column(kind), given_) == read


@pytest.mark.parametrize(("order", "srid"), [("<", None), (">", None), ("<", 4326), (">", 4326)])
def test_a_point_may_be_hexadecimal(order, srid):
    head = struct.pack("B", order == "<")
    kind = struct.pack(order + "I", 1 | (0x20000000 if srid else 0))
    middle = struct.pack(order + "I", srid) if srid else b""
    text = (head + kind + middle + struct.pack(order + "dd", 73.85, 18.52)).hex().upper()

    assert records.point_of(text) == (18.52, 73.85)


def test_a_number_has_the_places_of_its_column():
    found = records.cleaned(column("number", digits=18, places=4), "1.23456")

    assert (found, type(found)) == (Decimal("1.2346"), Decimal)


@pytest.mark.parametrize(
    ("given_", "read"),
    [
        ('["Yes"]', "Yes"),
        ('["a", "b"]', "a,b"),
        ("Yes", "Yes"),
        ("[draft", "[draft"),
        ("None", "None"),
        (5, "5"),
        (None, ""),
    ],
)
def test_an_answer_loses_the_list_around_it(given_, read):
    assert records.cleaned(column("text", name="answer", is_nullable=False), given_) == read


@pytest.mark.parametrize(
    ("kind", "given_", "limits"),
    [
        ("instant", "03/03/2025", {}),
        ("instant", 5, {}),
        ("instant", "9999-12-31 23:59:59-12:00", {}),
        ("date", "soon", {}),
        ("time", "25:00", {}),
        ("whole", "x", {}),
        ("whole", 1.5, {}),
        ("whole", True, {}),
        ("whole", "9" * 20, {}),
        ("whole", 40_000, {"least": -32_767, "most": 32_767}),
        ("truth", "maybe", {}),
        ("number", "x", {}),
        ("number", True, {}),
        ("number", "NaN", {}),
        ("number", "Infinity", {}),
        ("number", "1" * 400, {}),
        ("number", 10**15, {"digits": 18, "places": 4}),
        ("json", "x", {}),
        ("json", "5", {}),
        ("json", '{"a": NaN}', {}),
        ("json", '{"a": 1e999}', {}),
        ("json", {"a": [float("inf")]}, {}),
        ("json", {"a": "\0"}, {}),
        ("list", 5, {}),
        ("list", "x" * 51, {"longest": 50}),
        ("uuid", "x", {}),
        ("point", "18.52", {}),
        ("point", "91,0", {}),
        ("point", "0,181", {}),
        ("point", "nan,nan", {}),
        ("point", "POINT (1)", {}),
        ("point", "POINT ()", {}),
        ("point", "LINESTRING (1 2, 3 4)", {}),
        ("point", "00" * 21, {}),
        ("point", "ff" * 21, {}),
        ("point", 5, {}),
        ("path", "x", {}),
        ("path", 5, {}),
        ("text", "a\0b", {}),
        ("text", "\ud800", {}),
        ("text", "x" * 11, {"longest": 10}),
        ("text", ["x"], {}),
        ("text", True, {}),
    ],
)
def test_a_value_that_no_column_can_hold_is_told(kind, given_, limits):
    with pytest.raises(Flaw):
        records.cleaned(column(kind, **limits), given_)


@pytest.mark.parametrize("given_", ['{"a": 1}', '"{\\"a\\": 1}"', {"a": 1}])
def test_a_record_is_an_object_however_it_is_wrapped(given_):
    assert records.record_of(given_) == {"a": 1}


@pytest.mark.parametrize("given_", ["", "x", "[1]", "5", 5, None, [], '"x"', "[" * 100_000])
def test_what_is_no_record_is_told(given_):
    with pytest.raises(Flaw):
        records.record_of(given_)


@pytest.mark.parametrize("given_", [{}, {"uuid": ""}, {"uuid": None}, {"uuid": "None"}, {"uuid": "x"}, {"uuid": 5}])
def test_a_record_without_a_uuid_is_told(given_):
    with pytest.raises(Flaw):
        records.uuid_of(given_)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(
    st.sampled_from(
        ["whole", "number", "truth", "instant", "date", "time", "json", "list", "uuid", "point", "path", "text"]
    ),
    ANYTHING,
)
def test_any_value_is_read_or_told_of(kind, value):
    """Nothing that a device can send is an error of another kind."""
    with contextlib.suppress(Flaw):
        records.cleaned(column(kind, longest=50, least=-(2**31), most=2**31 - 1, digits=18, places=4), value)
