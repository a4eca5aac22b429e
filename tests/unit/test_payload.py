"""What may travel as JSON: arguments are refused before anything is written, results are made storable."""

from __future__ import annotations

import datetime as dt
import json
import math
from collections import OrderedDict, UserDict, namedtuple
from decimal import Decimal
from enum import IntEnum, StrEnum
from pathlib import PurePath
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from youtility_tasks import payload
from youtility_tasks.errors import NotJson, TooDeep, TooLarge

MAX_BYTES, MAX_DEPTH = 2_000, 12

anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=2**1020, max_value=2**1030)
    | st.floats()
    | st.text(st.characters())  # surrogates and NUL included
    | st.binary()
    | st.dates()
    | st.sets(st.integers())
    | st.uuids(),
    lambda inner: st.lists(inner) | st.tuples(inner) | st.dictionaries(st.text(st.characters()) | st.integers(), inner),
    max_leaves=30,
)


def as_json_sees_it(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: as_json_sees_it(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [as_json_sees_it(item) for item in value]
    return value


def storable(value: Any) -> None:
    """PostgreSQL's jsonb takes it: valid JSON, no NaN, no NUL, no half characters, no endless number."""
    text = json.dumps(value, allow_nan=False)
    assert "\\u0000" not in json.dumps(walk_text(value))
    walk_text(value).encode()
    assert json.loads(text) == as_json_sees_it(value)


def walk_text(value: Any) -> str:
    if isinstance(value, dict):
        return "".join(walk_text(part) for pair in value.items() for part in pair)
    if isinstance(value, list):
        return "".join(walk_text(item) for item in value)
    return value if isinstance(value, str) else ""


# -- check


@given(value=anything)
def test_whatever_the_check_accepts_comes_back_from_json_as_it_was(value: Any) -> None:
    try:
        text = payload.check("t", {"value": value}, max_bytes=MAX_BYTES, max_depth=MAX_DEPTH)
    except (NotJson, TooDeep, TooLarge):
        return

    assert json.loads(text) == {"value": as_json_sees_it(value)}
    assert len(text.encode()) <= MAX_BYTES
    storable(json.loads(text))


@given(
    value=st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**70), 2**70)
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text('aä€\n"\\'),
        lambda inner: st.lists(inner) | st.dictionaries(st.text("ab"), inner),
        max_leaves=40,
    )
)
def test_plain_json_is_refused_only_for_its_true_size_or_depth(value: Any) -> None:
    plain = {"value": value}
    size = len(json.dumps(plain, ensure_ascii=False, separators=(",", ":")).encode())

    assert payload.check("t", plain, max_bytes=size, max_depth=1_000) != ""
    with pytest.raises(TooLarge):
        payload.check("t", plain, max_bytes=size - 1, max_depth=1_000)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (float("nan"), "nan"),
        (float("inf"), "inf"),
        (-math.inf, "-inf"),
        ("a\0b", "NUL"),
        ("\ud800", "surrogate"),
        (b"bytes", "base64"),
        ({1, 2}, "sorted"),
        (frozenset(), "sorted"),
        (dt.datetime(2026, 1, 1, tzinfo=dt.UTC), "isoformat"),
        (dt.date(2026, 1, 1), "isoformat"),
        (dt.timedelta(minutes=5), "total_seconds"),
        (PurePath("report.pdf"), "Pass str(value)"),
        (Decimal("1.5"), "decimal.Decimal, which is not JSON. Pass str(value)"),
        (UUID(int=0), "uuid.UUID, which is not JSON. Pass str(value)"),
        (object(), "object"),
        (10**400, "bits"),
        ({1: "a"}, "keys of JSON objects are text"),
        ({"a\0": 1}, "NUL"),
        (UserDict(a=1), "UserDict"),
        (range(3), "range"),
        (iter([1]), "list_iterator"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_not_json_is_refused_with_task_place_and_a_way_out(value: Any, says: str) -> None:
    with pytest.raises(NotJson) as refused:
        payload.check("Task 'send_mail'", {"ids": [1, {"who": value}]}, max_bytes=MAX_BYTES, max_depth=MAX_DEPTH)

    text = str(refused.value)
    assert "'send_mail'" in text
    assert "args.ids[1].who" in text
    assert says in text


class Colour(StrEnum):
    RED = "red"


class Size(IntEnum):
    BIG = 3


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        ((1, 2), [1, 2]),
        (namedtuple("Point", "x y")(1, 2), [1, 2]),
        (OrderedDict(a=1), {"a": 1}),
        (Colour.RED, "red"),
        (Size.BIG, 3),
        (True, True),
        ("ä€😀", "ä€😀"),
        (-0.0, -0.0),
        (10**300, 10**300),
    ],
    ids=repr,
)
def test_what_json_can_carry_is_accepted(value: Any, stored: Any) -> None:
    text = payload.check("t", {"value": value}, max_bytes=MAX_BYTES, max_depth=MAX_DEPTH)

    assert json.loads(text) == {"value": stored}


@pytest.mark.parametrize(
    "value",
    [
        "x" * 5_000,
        ["x" * 900] * 3,
        [0] * 1_001,
        [[]] * 700,
        [None] * 500,
        "\n" * 1_001,
        "\x01" * 400,
        "ä" * 1_001,
        {f"{n:04}": n for n in range(400)},
    ],
    ids=["text", "texts", "digits", "lists", "nulls", "escapes", "control", "two-byte", "keys"],
)
def test_arguments_over_the_limit_are_refused(value: Any) -> None:
    assert len(json.dumps({"v": value}, ensure_ascii=False, separators=(",", ":")).encode()) > MAX_BYTES

    with pytest.raises(TooLarge, match="Store the data"):
        payload.check("t", {"v": value}, max_bytes=MAX_BYTES, max_depth=MAX_DEPTH)


@pytest.mark.parametrize(
    "value",
    [["x" * 400_000], {"x" * 400_000: 1}, list(range(200_000)), {str(n): n for n in range(100_000)}],
    ids=["text", "key", "numbers", "keys"],
)
def test_the_size_is_refused_before_any_json_text_is_made(value: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(payload.json, "dumps", lambda *a, **k: pytest.fail("made the text of something too large"))

    with pytest.raises(TooLarge):
        payload.check("t", {"value": value}, max_bytes=256 * 1024, max_depth=64)


def test_nesting_of_any_depth_is_refused_without_a_recursion_error() -> None:
    value: Any = []
    for _ in range(100_000):
        value = [value]

    with pytest.raises(TooDeep, match="nested deeper than 64"):
        payload.check("t", {"value": value}, max_bytes=10**9, max_depth=64)


def test_a_circle_is_refused() -> None:
    circle: list[Any] = []
    circle.append(circle)

    with pytest.raises(TooDeep):
        payload.check("t", {"value": circle}, max_bytes=MAX_BYTES, max_depth=64)


def test_an_error_about_a_huge_key_is_itself_short() -> None:
    with pytest.raises(NotJson) as refused:
        payload.check("t", {"k" * 100_000: {1, 2}}, max_bytes=10**9, max_depth=64)

    assert len(str(refused.value)) < 2_000


# -- clean


class Hostile:
    """Everything about it fails."""

    def __repr__(self) -> str:
        raise ValueError("no text for you")

    __str__ = __repr__


class HostileZone(dt.tzinfo):
    def utcoffset(self, when: dt.datetime | None) -> dt.timedelta:
        raise RuntimeError("no offset")


class HostileDict(dict[str, int]):
    def items(self) -> Any:
        raise RuntimeError("no items")


class HostileExit:
    def __repr__(self) -> str:
        raise SystemExit(3)


class NotText:
    def __repr__(self) -> str:
        return 5  # type: ignore[return-value]


@given(value=anything)
def test_clean_makes_any_result_storable(value: Any) -> None:
    cleaned = payload.clean(value, max_bytes=MAX_BYTES)

    storable(cleaned)
    assert len(json.dumps(cleaned, ensure_ascii=False).encode()) <= MAX_BYTES


@pytest.mark.parametrize(
    "value",
    [
        Hostile(),
        HostileExit(),
        NotText(),
        {Hostile(): 1},
        {"k": Hostile()},
        HostileDict(a=1),
        dt.datetime(2026, 1, 1, tzinfo=HostileZone()),
        10**10_000,
        {10**10_000: 1},
        Exception("\ud800\0"),
        lambda: None,
    ],
    ids=lambda value: type(value).__name__,
)
def test_clean_survives_objects_that_fight_back(value: Any) -> None:
    storable(payload.clean({"result": [value]}, max_bytes=100_000))


def test_clean_keeps_what_is_fine_as_it_is() -> None:
    value = {"status": "ok", "count": 3, "ratio": 0.5, "none": None, "flag": True, "list": [1, "ä"]}

    assert payload.clean(value, max_bytes=10_000) == value


def test_clean_says_what_it_replaced() -> None:
    cleaned = payload.clean(
        {"nan": math.nan, "nul": "a\0b", "half": "\ud800", "at": dt.date(2026, 1, 2)}, max_bytes=10_000
    )

    assert cleaned == {"nan": "nan", "nul": "a␀b", "half": "\\ud800", "at": "2026-01-02"}


def test_clean_replaces_what_is_too_large_by_a_note_with_its_size() -> None:
    assert payload.clean("x" * 500, max_bytes=100) == {"_dropped": "the result has 502 bytes, more than 100"}


def test_clean_survives_circles_and_depth() -> None:
    circle: list[Any] = []
    circle.append(circle)

    storable(payload.clean(circle, max_bytes=10_000))


@given(text=st.text(st.characters()), limit=st.integers(10, 40))
def test_clean_text_is_storable_and_as_short_as_asked(text: str, limit: int) -> None:
    cleaned = payload.clean_text(text, limit=limit)

    cleaned.encode()
    assert "\0" not in cleaned
    assert len(cleaned) <= limit
