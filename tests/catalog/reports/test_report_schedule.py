"""R-REP's schedule rules against an independent reading: minute by minute, day by day, without a cron library."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from task_catalog.rules.report_schedule import (
    BadSchedule,
    CronType,
    Period,
    Schedule,
    crontype,
    due,
    latest_period,
    may_be_sent_from,
)

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)

offsets = st.sampled_from([330, 0, -300, 345, -570, 720])
instants = st.datetimes(datetime(2024, 1, 1), datetime(2026, 12, 31)).map(lambda naive: naive.replace(tzinfo=UTC))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def field_has(field: str, value: int) -> bool:
    return field == "*" or value in {int(part) for part in field.split(",")}


def fires_at(cron: str, wall: datetime) -> bool:
    """Whether a cron of stars, numbers and lists, with at most one of day and weekday restricted, fires in a minute."""
    minute, hour, day, month, weekday = cron.split()
    return (
        field_has(minute, wall.minute)
        and field_has(hour, wall.hour)
        and field_has(day, wall.day)
        and field_has(month, wall.month)
        and field_has(weekday, wall.isoweekday() % 7)
    )


def two_fires_before(cron: str, offset: int, now: datetime) -> tuple[datetime, datetime]:
    """The last two fires up to now, found by walking back over days and, on those that match, over minutes."""
    minute, hour = cron.split()[:2]
    wall = (now + timedelta(minutes=offset)).replace(tzinfo=None)
    found: list[datetime] = []
    day = wall.date()
    while len(found) < 2:
        if fires_at(f"* * {' '.join(cron.split()[2:])}", datetime.combine(day, time())):
            for m in range(1439, -1, -1):
                at = datetime.combine(day, time()) + m * MINUTE
                if at <= wall and field_has(minute, at.minute) and field_has(hour, at.hour):
                    found.append(at)
                    if len(found) == 2:
                        break
        day -= DAY
    last, before = ((at - timedelta(minutes=offset)).replace(tzinfo=UTC) for at in found)
    return before, last


def numbers(low: int, high: int, most: int = 3):
    return st.lists(st.integers(low, high), min_size=1, max_size=most, unique=True).map(
        lambda values: ",".join(map(str, sorted(values)))
    )


times = st.tuples(numbers(0, 59), st.one_of(st.just("*"), numbers(0, 23))).map(" ".join)
daily = times.map(lambda at: f"{at} * * *")
weekly = st.tuples(times, st.integers(0, 6)).map(lambda of: f"{of[0]} * * {of[1]}")
monthly = st.tuples(times, st.integers(1, 31)).map(lambda of: f"{of[0]} {of[1]} * *")


@given(st.one_of(daily, weekly, monthly), offsets, instants)
def test_the_period_lies_between_the_last_two_fires(cron, offset, now):
    start, end = two_fires_before(cron, offset, now)

    assert latest_period(Schedule(cron=cron, offset=offset), now) == Period(start, end)
    assert start < end <= now


@given(st.one_of(daily, weekly, monthly), offsets, instants, st.integers(-100_000, 100_000))
def test_it_is_due_when_there_was_no_generation_since_the_last_fire(cron, offset, now, seconds):
    _, last = two_fires_before(cron, offset, now)
    generated = last + timedelta(seconds=seconds)
    assume(generated <= now)

    found = due(Schedule(cron=cron, offset=offset, last_generated=generated), now)

    assert (found is not None) == (seconds < 0)


far_apart = st.lists(st.sampled_from([1, 4, 9, 13, 20]), min_size=1, max_size=3, unique=True).map(
    lambda hours: ",".join(map(str, sorted(hours)))
)
one_a_few_hours = st.tuples(st.integers(0, 59), far_apart, st.sampled_from(["*", "1"])).map(
    lambda of: f"{of[0]} {of[1]} * * {of[2]}"
)


@settings(max_examples=30)
@given(one_a_few_hours, offsets, st.sampled_from([20, 30, 120]), st.integers(0, 1439))
def test_d26_sweeps_in_a_row_make_every_period_once_without_a_gap(cron, offset, every_min, first_min):
    """Sweeps come at least as often as the fires do; each time the same sweep comes twice."""
    now = datetime(2025, 3, 1, tzinfo=UTC) + first_min * MINUTE
    schedule = Schedule(cron=cron, offset=offset, last_generated=now)
    made: list[Period] = []
    for _ in range(9 * 24 * 60 // every_min):
        for _ in range(2):
            period = due(schedule, now)
            if period is not None:
                made.append(period)
                schedule = replace(schedule, last_generated=now)
        now += every_min * MINUTE

    assert made
    assert all(before.end == after.start for before, after in itertools.pairwise(made))


@given(offsets, instants, st.sampled_from(["5", "6"]), st.sampled_from(["0 9 * * 1-5", "0 9 * * 1,3", "0 9 1,15 * *"]))
def test_a_schedule_of_working_days_covers_the_last_week_that_is_over(offset, now, days, cron):
    found = latest_period(Schedule(cron=cron, offset=offset, workingdays=days), now)

    first, last = (at + timedelta(minutes=offset) for at in (found.start, found.end))
    assert first.strftime("%a %H:%M:%S") == "Mon 00:00:00"
    assert last.strftime("%a %H:%M:%S") == ("Sat" if days == "5" else "Sun") + " 00:00:00"
    assert last - first == int(days) * DAY
    assert found.end <= now < found.end + 7 * DAY


@given(offsets, instants, st.sampled_from(["5", "6"]))
def test_a_schedule_of_working_days_is_due_once_a_week(offset, now, days):
    schedule = Schedule(cron="0 9 * * 1-5", offset=offset, workingdays=days)
    end = latest_period(schedule, now).end

    def generated(at: datetime) -> Schedule:
        return Schedule(cron="0 9 * * 1-5", offset=offset, workingdays=days, last_generated=at)

    assert due(schedule, now) is not None
    assert due(generated(end - timedelta(seconds=1)), now) is not None
    assert due(generated(end), now) is None


@pytest.mark.parametrize(
    ("cron", "kind"),
    [
        ("0 6 * * *", CronType.DAILY),
        ("*/5 */2 * * *", CronType.DAILY),
        ("0 7 * * 1", CronType.WEEKLY),
        ("0 7 * * MON", CronType.WEEKLY),
        ("0 8 1 * *", CronType.MONTHLY),
        ("0 8 31 1 *", CronType.MONTHLY),
        ("0 9 * * 1-5", CronType.WORKINGDAYS),
        ("0 9 * * 1,3", CronType.WORKINGDAYS),
        ("0 9 1,15 * *", CronType.WORKINGDAYS),
        ("0 9 * * */2", CronType.WORKINGDAYS),
        ("0 9 1 * 1", CronType.WORKINGDAYS),
    ],
)
def test_the_kind_of_a_schedule_is_read_from_its_cron(cron, kind):
    assert crontype(cron) is kind


def test_the_days_of_the_seed_at_its_two_sweeps():
    """catalog.md 5.6: last generated D-1 23:00; daily and weekly come at 08:22 for A and B and at 16:22 for C."""
    last = utc("2025-03-02 23:00")
    crons = {"daily": "0 6 * * *", "weekly": "0 7 * * 1", "monthly": "0 8 1 * *", "working": "0 9 * * 1-5"}

    def made(offset: int, at: str) -> set[str]:
        return {
            name
            for name, cron in crons.items()
            if due(Schedule(cron=cron, offset=offset, workingdays="5", last_generated=last), utc(at))
        }

    assert [made(offset, "2025-03-03 00:22") for offset in (330, 0, -300)] == [set(), set(), set()]
    assert [made(offset, "2025-03-03 08:22") for offset in (330, 0, -300)] == [
        {"daily", "weekly"},
        {"daily", "weekly"},
        set(),
    ]
    assert made(-300, "2025-03-03 16:22") == {"daily", "weekly"}


def test_a_fire_of_this_very_minute_counts():
    schedule = Schedule(cron="22 8 * * *", offset=0)

    at = utc("2025-03-03 08:22")

    assert latest_period(schedule, at) == Period(at - DAY, at)
    assert latest_period(schedule, at - MINUTE) == Period(at - 2 * DAY, at - DAY)


@pytest.mark.parametrize("cron", ["", "  ", "* * * * *", "*  * * *   *"])
def test_a_blank_cron_is_no_schedule(cron):
    assert due(Schedule(cron=cron, offset=0), utc("2025-03-03")) is None


def test_a_disabled_schedule_is_never_due():
    assert due(Schedule(cron="0 6 * * *", offset=0, is_enabled=False), utc("2025-03-03 07:00")) is None


@pytest.mark.parametrize(
    ("cron", "workingdays", "reason"),
    [
        ("61 * * * *", "", "bad_cron"),
        ("0 6 * *", "", "bad_cron"),
        ("0 0 31 2 *", "", "bad_cron"),
        ("0 9 * * 1-5", "", "no_workingdays"),
        ("0 9 * * 1-5", "7", "no_workingdays"),
    ],
)
def test_d27_a_schedule_without_a_period_says_why(cron, workingdays, reason):
    with pytest.raises(BadSchedule) as caught:
        due(Schedule(cron=cron, offset=330, workingdays=workingdays), utc("2025-03-03 12:00"))

    assert caught.value.reason == reason


def test_a_report_of_the_29th_of_february_finds_its_former_one():
    found = latest_period(Schedule(cron="0 0 29 2 *", offset=0), utc("2025-03-03"))

    assert found == Period(utc("2020-02-29"), utc("2024-02-29"))


def test_every_minute_of_january_is_found_in_december():
    found = latest_period(Schedule(cron="* * * 1 *", offset=0, workingdays="5"), utc("2024-12-31"))
    assert found.end - found.start == 5 * DAY  # "else workingdays"

    found = latest_period(Schedule(cron="* * 31 1 *", offset=0), utc("2024-12-31"))
    assert found == Period(utc("2024-01-31 23:58"), utc("2024-01-31 23:59"))


@given(offsets, instants, st.times())
def test_d28_a_report_may_go_at_its_local_hour_of_that_day_or_at_once(offset, generated, send_time):
    east = timedelta(minutes=offset)
    that_day: date = (generated + east).date()
    at_its_hour = (datetime.combine(that_day, send_time) - east).replace(tzinfo=UTC)

    assert may_be_sent_from(generated, send_time, offset) == max(generated, at_its_hour)


def test_without_a_send_time_it_may_go_at_once():
    now = utc("2025-03-03 08:22")

    assert may_be_sent_from(now, None, 330) == now
