"""The wall clock of a row."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from task_catalog.rules import local_time

AT = datetime(2025, 3, 3, 0, 25, tzinfo=UTC)


@pytest.mark.parametrize(
    ("offset", "text"), [(330, "03-Mar-2025 05:55"), (0, "03-Mar-2025 00:25"), (-300, "02-Mar-2025 19:25")]
)
def test_an_instant_is_shown_in_the_rows_wall_clock(offset, text):
    assert local_time.shown(AT, offset) == text


def test_mails_about_readings_have_the_month_as_a_number():
    assert local_time.in_numbers(AT, -300) == "02-03-2025 19:25"


def test_no_instant_is_shown_as_a_dash():
    assert local_time.shown(None, 330) == local_time.in_numbers(None, 330) == "-"


@pytest.mark.parametrize(
    ("offset", "known"), [(0, True), (330, True), (-300, True), (-1, False), (None, False), (5_000, False)]
)
def test_d12_minus_one_is_no_offset(offset, known):
    assert local_time.is_known(offset) is known
