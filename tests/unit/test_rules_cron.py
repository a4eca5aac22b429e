"""Cron in a wall clock with a fixed offset: nothing is lost, nothing comes twice, nothing depends on chance."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from task_catalog.rules import cron
from task_catalog.rules.cron import BadCron, occurrences

MONDAY = datetime(2025, 3, 3, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

offsets = st.integers(-720, 840)
instants = st.datetimes(datetime(2024, 1, 1), datetime(2027, 12, 31)).map(lambda at: at.replace(tzinfo=UTC))


def field(lowest: int, highest: int) -> st.SearchStrategy[str]:
    number = st.integers(lowest, highest)
    one = st.one_of(
        number.map(str),
        st.tuples(number, number).map(lambda ends: f"{min(ends)}-{max(ends)}"),
        st.integers(2, highest).map(lambda step: f"*/{step}"),
    )
    return st.one_of(st.just("*"), st.lists(one, min_size=1, max_size=3).map(",".join))


crons = st.tuples(field(0, 59), field(0, 23), field(1, 28), field(1, 12), field(0, 6)).map(" ".join)


def read_field(text: str, lowest: int, highest: int) -> set[int]:
    """What a field means, spelled out: numbers, ranges, steps, lists."""
    values: set[int] = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        low, _, high = (f"{lowest}-{highest}" if span == "*" else span).partition("-")
        values.update(range(int(low), int(high or low) + 1, int(step or 1)))
    return values


def read_minute_by_minute(expression: str, offset: int, start: datetime, minutes: int) -> tuple[datetime, ...]:
    """The slow way: looks at every minute of the window by itself."""
    texts = expression.split()
    limits = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 6)]
    minute, hour, day, month, weekday = (read_field(text, *ends) for text, ends in zip(texts, limits, strict=True))
    # One of the two is enough, unless one is a star; task_catalog/rules/cron.py says what counts as one, and why.
    star_of_month = texts[2] == "*" or (len(day) == 31 and "*" in texts[4])
    star_of_week = texts[4] == "*" or (len(weekday) == 7 and "*" in texts[2])
    both_days = star_of_month or star_of_week
    found = []
    for number in range(minutes):
        wall = start + number * MINUTE + timedelta(minutes=offset)
        of_month, of_week = wall.day in day, wall.isoweekday() % 7 in weekday
        its_day = (of_month and of_week) if both_days else (of_month or of_week)
        if wall.minute in minute and wall.hour in hour and wall.month in month and its_day:
            found.append(start + number * MINUTE)
    return tuple(found)


def fires(expression: str, offset: int, start: datetime, end: datetime) -> tuple[datetime, ...]:
    return occurrences(expression, offset=offset, start=start, end=end)


@given(crons, offsets, instants, st.lists(st.integers(0, 4_000), min_size=2, max_size=5), st.integers(0, 59_999_999))
@example("0 6,14,22 * * *", 330, MONDAY, [480, 480], 0)
def test_windows_that_follow_one_another_neither_lose_nor_double_an_instant(
    expression, offset, start, lengths, microseconds
):
    edges = [start + timedelta(microseconds=microseconds)]
    for minutes in lengths:
        edges.append(edges[-1] + timedelta(minutes=minutes))

    pieces = [fires(expression, offset, *ends) for ends in itertools.pairwise(edges)]

    joined = tuple(instant for piece in pieces for instant in piece)
    assert joined == fires(expression, offset, edges[0], edges[-1])
    assert len(set(joined)) == len(joined)


@given(crons, offsets, instants.map(lambda at: at.replace(second=0, microsecond=0)), st.integers(0, 3_000))
@example("*/7 */5 1-7 * 1", 330, MONDAY, 3_000)
@example("* * 2 * 0-6", 0, MONDAY, 3_000)
@example("* 20-22 */18,*/15 * 2-6,0-2", 400, MONDAY, 3_000)
def test_it_fires_exactly_when_every_field_says_so(expression, offset, start, minutes):
    expected = read_minute_by_minute(expression, offset, start, minutes)

    assert fires(expression, offset, start, start + minutes * MINUTE) == expected


@given(crons, offsets, instants, st.integers(0, 4_000))
def test_every_instant_is_a_whole_minute_inside_the_window_and_in_order(expression, offset, start, minutes):
    end = start + timedelta(minutes=minutes)

    found = fires(expression, offset, start, end)

    assert all(start <= instant < end and instant.second == instant.microsecond == 0 for instant in found)
    assert list(found) == sorted(found)


@given(crons, offsets, instants)
def test_the_offset_moves_the_clock_and_nothing_else(expression, offset, start):
    east = timedelta(minutes=offset)
    end = start + timedelta(hours=48)

    here = fires(expression, offset, start, end)

    assert here == tuple(at - east for at in fires(expression, 0, start + east, end + east))


@pytest.mark.parametrize(
    ("expression", "plain"),
    [
        ("5-5 6-6 * * *", "5 6 * * *"),
        ("30 9 3-3,10-10 * *", "30 9 3,10 * *"),
        ("0 0 * mar-MAR fri-fri", "0 0 * 3 5"),
        ("0 12-12/6 * * *", "0 12 * * *"),
        ("0 1-11,2-21 * * *", "0 1-21 * * *"),
    ],
)
def test_a_range_of_one_is_that_one_and_not_all(expression, plain):
    year = MONDAY, MONDAY + timedelta(days=365)

    assert fires(expression, 0, *year) == fires(plain, 0, *year) != ()


@pytest.mark.parametrize(
    ("days", "of_march"),
    [
        ("*/18 * *", {1, 19}),
        ("*/18 * 0-6", {1, 19}),
        ("*/18 * 1", {1, 3, 10, 17, 19, 24, 31}),
        ("19 * 1", {3, 10, 17, 19, 24, 31}),
        ("19 * *", {19}),
        ("* * 1", {3, 10, 17, 24, 31}),
        ("19 * 0-6", set(range(1, 32))),
        ("1-31 * 1", set(range(1, 32))),
    ],
)
def test_a_day_of_the_month_or_a_weekday_is_enough_unless_one_is_a_star(days, of_march):
    march = datetime(2025, 3, 1, tzinfo=UTC), datetime(2025, 4, 1, tzinfo=UTC)

    assert {at.day for at in fires(f"0 0 {days}", 0, *march)} == of_march


@given(st.sets(st.integers(0, 23), min_size=1), offsets, instants)
def test_listed_hours_fire_when_they_are_on_the_wall(hours, offset, start):
    ranges = ",".join(f"{hour}-{hour}" for hour in sorted(hours))

    found = fires(f"0 {ranges} * * *", offset, start, start + timedelta(days=1))

    assert sorted((at + timedelta(minutes=offset)).hour for at in found) == sorted(hours)


@given(offsets, instants, st.integers(0, 23), st.integers(0, 59))
def test_a_daily_cron_shows_its_time_on_the_local_wall(offset, start, hour, minute):
    found = fires(f"{minute} {hour} * * *", offset, start, start + timedelta(days=3))

    assert len(found) == 3
    assert {(at + timedelta(minutes=offset)).strftime("%H:%M") for at in found} == {f"{hour:02}:{minute:02}"}


def test_the_start_belongs_to_the_window_and_the_end_does_not():
    six = MONDAY.replace(hour=6)

    assert fires("0 6 * * *", 0, six, six + timedelta(days=1)) == (six,)
    assert fires("0 6 * * *", 0, six + timedelta(microseconds=1), six + timedelta(days=1)) == ()
    assert fires("0 6 * * *", 0, six, six) == ()
    assert fires("0 6 * * *", 0, six + timedelta(days=1), six) == ()


def test_greenwich_is_an_offset_like_any_other():
    assert fires("30 9 * * 1-5", 0, MONDAY, MONDAY + timedelta(days=2)) == (
        MONDAY + timedelta(hours=9, minutes=30),
        MONDAY + timedelta(days=1, hours=9, minutes=30),
    )


def test_the_weekday_is_that_of_the_wall_and_not_that_of_greenwich():
    # 23:30 on Sunday in Greenwich is Monday in India.
    sunday_night = MONDAY - timedelta(minutes=30)

    assert fires("0 5 * * 1", 330, sunday_night, sunday_night + MINUTE) == (sunday_night,)
    assert fires("30 23 * * 1", 0, sunday_night, sunday_night + MINUTE) == ()


def test_at_most_the_limit_is_listed():
    found = occurrences("*/1 * * * *", offset=0, start=MONDAY, end=MONDAY + timedelta(days=400), limit=50)

    assert found == tuple(MONDAY + index * MINUTE for index in range(50))


def test_a_rare_day_is_found_and_one_outside_the_window_is_not():
    leap_day = datetime(2028, 2, 29, tzinfo=UTC)

    assert fires("0 0 29 2 *", 0, MONDAY, MONDAY + timedelta(days=400)) == ()
    assert fires("0 0 29 2 *", 0, leap_day - timedelta(days=2), leap_day + MINUTE) == (leap_day,)


@pytest.mark.parametrize(
    ("expression", "word"),
    [
        ("61 * * * *", "cannot be read"),
        ("* 24 * * *", "cannot be read"),
        ("0 0 30 2 *", "cannot be read"),
        ("a b c d e", "cannot be read"),
        ("5 6", "2 fields"),
        ("0 0 1 1 * 0", "6 fields"),
        ("@daily", "1 fields"),
        ("", "0 fields"),
        ("R * * * *", "random"),
        ("0 r(1-5) * * *", "random"),
        ("H/5 * * * *", "random"),
    ],
)
def test_what_is_no_cron_is_refused_with_its_reason(expression, word):
    assert word in (cron.flaw(expression) or "")
    with pytest.raises(BadCron, match=word):
        fires(expression, 0, MONDAY, MONDAY + MINUTE)


@given(st.one_of(st.text(max_size=30), st.lists(st.text("0123456789*/-,LW#?rhMON()", max_size=6)).map(" ".join)))
def test_no_text_at_all_breaks_the_check(text):
    wrong = cron.flaw(text)

    assert wrong is None or text.split() == [] or repr(text) in wrong


@given(crons)
def test_a_cron_of_five_legal_fields_has_no_flaw(expression):
    assert cron.flaw(expression) is None


@pytest.mark.parametrize("expression", ["", "   ", None, "* * * * *", " *  * * * * "])
def test_a_blank_cron_and_every_minute_mean_not_scheduled(expression):
    assert not cron.is_scheduled(expression)


def test_anything_else_is_scheduled():
    assert cron.is_scheduled("61 * * * *")
    assert cron.is_scheduled("*/1 * * * *")


def test_beyond_the_calendar_is_an_overflow():
    with pytest.raises(OverflowError):
        fires("0 0 * * *", 840, MONDAY, datetime(9999, 12, 31, 23, 59, tzinfo=UTC))
