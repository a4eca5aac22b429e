"""Which side, which verdict, which shift (R-FACE)."""

from __future__ import annotations

from datetime import time

import pytest

from task_catalog.rules import faces as rules
from task_catalog.rules.faces import Outcome, Verdict


@pytest.mark.parametrize(
    ("punched_in", "punched_out", "extras", "side"),
    [
        (True, False, {}, "in"),
        (True, True, {}, "in"),
        (True, True, {"distance_in": 0.2}, "out"),
        (True, True, {"distance_in": 0.0}, "out"),
        (True, True, {"fr_status_in": "no_face", "distance_in": None}, "out"),
        (True, False, {"fr_status_in": "no_face"}, None),
        (True, True, {"fr_status_in": "match", "fr_status_out": "mismatch"}, None),
        (False, True, {}, "out"),
        (False, False, {}, None),
        (True, True, {"fr_status_in": ""}, "in"),
    ],
)
def test_the_side_is_the_first_punch_that_nobody_has_looked_at(punched_in, punched_out, extras, side):
    assert rules.side_to_check(punched_in=punched_in, punched_out=punched_out, extras=extras) == side


def test_a_distance_is_a_match_up_to_the_threshold():
    assert rules.verdict_of(0.4, threshold=0.4) == Verdict(Outcome.MATCH, 0.4)
    assert rules.verdict_of(0.4001, threshold=0.4) == Verdict(Outcome.MISMATCH, 0.4001)
    assert [each for each in Outcome if Verdict(each).is_verified] == [Outcome.MATCH]


@pytest.mark.parametrize(
    ("path", "is_photo"),
    [
        ("master/people/7.png", True),
        ("master/people/blank.png", False),
        ("", False),
        (None, False),
        ("https://x.example/7.png", False),
    ],
)
def test_the_placeholder_and_an_address_are_no_photo(path, is_photo):
    assert rules.has_photo(path) is is_photo


@pytest.mark.parametrize(
    ("at", "starts", "nearest"),
    [
        (time(9), [(1, time(6)), (2, time(10))], 2),
        (time(0, 10), [(1, time(23, 50)), (2, time(6))], 1),
        (time(23, 50), [(1, time(0, 10)), (2, time(20))], 1),
        (time(12), [(5, time(11)), (3, time(13))], 3),
        (time(0), [(1, time(12))], 1),
        (time(9), [], None),
    ],
)
def test_the_nearest_shift_on_the_face_of_a_24_hour_clock(at, starts, nearest):
    assert rules.nearest_shift(at, starts) == nearest
