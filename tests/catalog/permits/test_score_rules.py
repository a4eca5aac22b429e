"""R-SLA as plain functions: the score to the hundredth, the month it is for, the year before it."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from task_catalog.rules import scores as rules
from task_catalog.rules.permits import Answer, Section
from task_catalog.rules.scores import Month
from tests.catalog.permits.world import EXAMPLE


def sections(**answers: tuple[str, ...]) -> list[Section]:
    return [Section(name, tuple(Answer("?", each) for each in given)) for name, given in answers.items()]


def test_the_written_example_is_82_67():
    score = rules.score_of(sections(**EXAMPLE))

    assert [str(each.average) for each in score.sections] == ["8.50", "7.33", "10.00", "8.50", "6.00", "8.00"]
    assert (str(score.overall), score.remarks, score.uptime) == ("82.67", "Good month", "99.5")
    assert score.warnings == ()


def test_all_weights_together_are_one():
    assert sum(rules.WEIGHTS.values()) == 1


@pytest.mark.parametrize(
    ("answers", "average"),
    [
        (["10", "0"], Fraction(5)),
        (["11", "100", "7"], Fraction(7)),
        (["7", "good", "8"], Fraction(15, 2)),
        (["8.5", "-1", "", " 6 "], Fraction(6)),
        (["²", "٣", "1e1", "9" * 5000], Fraction(0)),
        ([], Fraction(0)),
    ],
)
def test_an_average_is_of_whole_numbers_from_0_to_10(answers, average):
    assert rules.average_of(answers) == average


def test_a_half_hundredth_is_rounded_up_and_nothing_is_lost_before():
    # 10 x (1/8 x 0.1) = 0.125 exactly, which binary fractions and banker's rounding would both make 0.12.
    eighth = ("1", *["0"] * 7)

    assert str(rules.score_of(sections(CPI=eighth)).overall) == "0.13"


@given(st.lists(st.lists(st.integers(0, 12).map(str), max_size=6).map(tuple), min_size=6, max_size=6))
def test_a_score_is_between_0_and_100_with_two_decimals(answers):
    names = [name for name, weight in rules.WEIGHTS.items() if weight]

    score = rules.score_of(sections(**dict(zip(names, answers, strict=True))))

    assert 0 <= score.overall <= 100
    assert score.overall.as_tuple().exponent == -2


def test_the_last_words_are_the_remark_and_those_of_the_indicators_are_none():
    answers = {
        "WORK SAFETY": ("first", "5"),
        "remarks": ("second", "9", "8.5"),
        "kpi as per  agreement": ("2 h", "3 h", "98 %"),
    }

    score = rules.score_of(sections(**answers))

    assert (score.remarks, score.uptime) == ("second", "98 %")


def test_a_section_nobody_knows_counts_nothing_and_is_said():
    score = rules.score_of(sections(PARKING=("10",), CPI=("10",)))

    assert str(score.overall) == "10.00"
    assert score.warnings == ("section 'PARKING' has no weight and does not count",)


@pytest.mark.parametrize(
    ("stored", "created", "month"),
    [
        (None, datetime(2025, 3, 3), Month(2025, 2)),
        (None, datetime(2025, 1, 1), Month(2024, 12)),
        ("January", datetime(2025, 3, 3), Month(2025, 1)),
        ("march", datetime(2025, 3, 3), Month(2025, 3)),
        ("December", datetime(2025, 1, 2), Month(2024, 12)),
        ("Apr", datetime(2025, 3, 3), Month(2024, 4)),
        ("", datetime(2025, 3, 3), Month(2025, 2)),
        ("ma", datetime(2025, 3, 3), Month(2025, 2)),
        (3, datetime(2025, 3, 3), Month(2025, 2)),
        ("Brumaire", datetime(2025, 3, 3), Month(2025, 2)),
    ],
)
def test_d25_the_service_month_is_the_stored_one_or_that_before_creation(stored, created, month):
    assert rules.service_month(stored, created) == month


def test_the_year_before_has_twelve_months_and_the_later_of_two_scores():
    found = rules.year_before(
        Month(2025, 2),
        [
            (Month(2024, 2), Decimal(1)),
            (Month(2024, 2), Decimal(2)),
            (Month(2025, 1), Decimal(3)),
            (Month(2025, 2), Decimal(4)),
            (Month(2024, 1), Decimal(5)),
        ],
    )

    assert [str(month) for month, _ in found] == [
        *[f"{name} 2024" for name in rules.MONTHS[1:]],
        "January 2025",
    ]
    assert [score for _, score in found if score is not None] == [2, 3]


@pytest.mark.parametrize(
    ("stored", "score"),
    [
        (82.67, "82.67"),
        (80, "80.00"),
        ("79.5", "79.50"),
        (None, None),
        ("", None),
        ("NaN", None),
        (True, None),
        (100.5, None),
        (-1, None),
        ([1], None),
    ],
)
def test_a_stored_score_is_read_or_is_none(stored, score):
    found = rules.as_score(stored)

    assert (None if found is None else str(found)) == score
