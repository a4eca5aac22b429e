"""When a schedule fires, against a second opinion that looks at every minute: all zones, all their changes from 2020 to 2035."""

from __future__ import annotations

import functools
import inspect
import itertools
import re
import zoneinfo
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest
from croniter import croniter
from hypothesis import assume, example, given
from hypothesis import strategies as st

from youtility_tasks.schedules import calendars, clock
from youtility_tasks.schedules.calendars import Calendar, Days, QuietHours
from youtility_tasks.schedules.clock import Cron, Interval, Once, Rule

FIRST, LAST = datetime(2020, 1, 1, tzinfo=UTC), datetime(2036, 1, 1, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
ZONES = sorted(zoneinfo.available_timezones())
CRONS = ["30 2 * * *", "*/10 * * * *", "0 0,1,3 * * *", "15 */2 * * *", "59 23 * * *", "5 1-3 * * 0,6"]


def offset(zone: zoneinfo.ZoneInfo, instant: datetime) -> timedelta:
    found = instant.astimezone(zone).utcoffset()
    assert found is not None
    return found


def zone_file(name: str) -> bytes:
    """What a zone is made of: many names stand for one."""
    return next(path.read_bytes() for place in zoneinfo.TZPATH if (path := Path(place, name)).is_file())


@functools.cache
def changes(name: str) -> list[tuple[datetime, timedelta, timedelta]]:
    """(the first instant of the new offset, the old offset, the new one)."""
    zone = zoneinfo.ZoneInfo(name)
    found, low, old = [], FIRST, offset(zone, FIRST)
    while low < LAST:
        high = low + DAY
        new = offset(zone, high)
        if old != new:
            a, b = low, high
            while b - a > MINUTE:
                middle = a + timedelta(minutes=int((b - a) / MINUTE / 2))
                a, b = (middle, b) if offset(zone, middle) == old else (a, middle)
            found.append((b, old, new))
        low, old = high, new
    return found


@functools.cache
def distinct_changes() -> list[tuple[str, datetime]]:
    """Every change of every zone, without those that are the same in another zone."""
    seen: dict[tuple[datetime, timedelta, timedelta], str] = {}
    for name in {zone_file(name): name for name in ZONES}.values():
        for change in changes(name):
            seen.setdefault(change, name)
    return sorted((name, change[0]) for change, name in seen.items())


@functools.cache
def minutes_of(cron: str) -> frozenset[tuple[int, int, int]]:
    """(ISO weekday, hour, minute) of a cron whose day and month are stars."""
    minutes, hours, _, _, weekdays = croniter.expand(cron)[0]
    all_of = [range(60) if minutes == ["*"] else minutes, range(24) if hours == ["*"] else hours]
    days = range(1, 8) if weekdays == ["*"] else [day or 7 for day in weekdays]
    return frozenset(itertools.product(days, all_of[1], all_of[0]))


def fires_at(cron: str, wall: datetime) -> bool:
    return (wall.isoweekday(), wall.hour, wall.minute) in minutes_of(cron)


def by_looking_at_every_minute(cron: str, zone: zoneinfo.ZoneInfo, start: datetime, end: datetime) -> list[datetime]:
    """The documented rule, word by word: each wall time once, at its first showing; a skipped one when the clock goes on."""
    found, shown = [], set()
    instant = start - 4 * HOUR
    before = instant.astimezone(zone).replace(tzinfo=None)
    while instant < end:
        wall = instant.astimezone(zone).replace(tzinfo=None)
        skipped = []
        while before + MINUTE < wall:
            before += MINUTE
            skipped.append(before)
        if any(fires_at(cron, each) for each in [*skipped, wall] if each not in shown) and instant >= start:
            found.append(instant)
        shown.update([*skipped, wall])
        before = max(before, wall)
        instant += MINUTE
    return found


def between(rule: Rule, start: datetime, end: datetime) -> list[datetime]:
    return list(itertools.takewhile(lambda tick: tick < end, clock.ticks(rule, start - timedelta(seconds=1))))


def disagreements() -> list[str]:
    wrong = []
    for n, (name, change) in enumerate(distinct_changes()):
        zone, cron = zoneinfo.ZoneInfo(name), CRONS[n % len(CRONS)]
        start, end = change - 4 * HOUR, change + 4 * HOUR
        expected = by_looking_at_every_minute(cron, zone, start, end)
        got = between(Rule(Cron(cron), zone), start, end)
        if got != expected:
            wrong.append(f"{name} {change} {cron}: {got} and not {expected}")
    return wrong


@pytest.mark.timeout(300)
def test_at_every_change_of_every_zone_each_wall_time_fires_once() -> None:
    assert len(ZONES) > 400
    assert len(distinct_changes()) > 500
    assert disagreements() == []


@pytest.mark.parametrize("guard", ["the gap's end", "once at a fold"])
def test_without_a_part_of_the_rule_the_second_opinion_differs(guard: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def naive(wall: datetime, zone: zoneinfo.ZoneInfo) -> datetime:
        fold = 1 if guard == "once at a fold" else 0
        return wall.replace(tzinfo=zone, fold=fold).astimezone(UTC)

    monkeypatch.setattr(clock, "instant_of", naive)
    some = distinct_changes()[:: 17 if len(distinct_changes()) > 170 else 1]
    monkeypatch.setattr(f"{__name__}.distinct_changes", lambda: some)

    assert disagreements() != []


crons = st.builds(
    "{} {} {} {} {}".format,
    st.sampled_from(["0", "30", "*/10", "*", "7,52", "5-50/15"]),
    st.sampled_from(["*", "2", "0-3", "*/3", "1,2,3", "23"]),
    st.sampled_from(["*", "*", "1", "*/9", "31", "L"]),
    st.sampled_from(["*", "*", "2", "3,10", "2-12/2"]),
    st.sampled_from(["*", "*", "0", "1-5", "6,0"]),
)
instants = st.datetimes(FIRST.replace(tzinfo=None), LAST.replace(tzinfo=None)).map(
    lambda each: each.replace(tzinfo=UTC)
)


@given(st.sampled_from(ZONES), crons, instants)
def test_ticks_follow_one_another_without_doubles_or_gaps(name: str, cron: str, start: datetime) -> None:
    zone = zoneinfo.ZoneInfo(name)
    rule = Rule(Cron(cron), zone)
    first = clock.next_after(rule, start)
    assume(first is not None)
    assert first is not None
    end = first + 3 * DAY
    listed = [first, *between(rule, first + timedelta(seconds=1), end)][:40]

    assert listed == sorted(set(listed))
    for tick in listed:
        # Whoever looks a moment before finds this very tick, whenever he looked last.
        assert clock.next_after(rule, tick - timedelta(microseconds=1)) == tick
        wall = tick.astimezone(zone).replace(tzinfo=None)
        is_end_of_gap = offset(zone, tick) > offset(zone, tick - timedelta(seconds=1))
        assert croniter.match(cron, wall) or is_end_of_gap, (tick, wall)
    if not any(offset(zone, first + n * HOUR) != offset(zone, first) for n in range(-25, 97)):
        wall = first.astimezone(zone).replace(tzinfo=None)
        plain = croniter(cron, wall - timedelta(seconds=1))
        assert listed[:20] == [
            (plain.get_next(datetime) - offset(zone, first)).replace(tzinfo=UTC) for _ in listed[:20]
        ]


@given(st.sampled_from(ZONES), st.sampled_from(CRONS), instants, st.integers(1, 40), st.integers(1, 20))
@example("Africa/Abidjan", "0 0,1,3 * * *", datetime(2020, 1, 1, tzinfo=UTC), 1, 2)  # after a tick: it is not missed
def test_what_was_missed_is_the_end_of_what_would_have_been(
    name: str, cron: str, after: datetime, hours: int, most: int
) -> None:
    rule = Rule(Cron(cron), zoneinfo.ZoneInfo(name))
    until = after + hours * HOUR
    all_of_them = list(itertools.takewhile(lambda tick: tick <= until, clock.ticks(rule, after)))

    found, is_all = clock.latest(rule, after, until, most)

    assert found == all_of_them[-most:]
    assert is_all == (len(all_of_them) <= most)


@pytest.mark.parametrize(
    ("name", "start", "expected"),
    [
        # 30 March 2025: 02:00 becomes 03:00 in Berlin; 26 October: 03:00 becomes 02:00.
        ("Europe/Berlin", "2025-03-29T12:00", ["2025-03-30T01:00", "2025-03-31T00:30"]),
        ("Europe/Berlin", "2025-10-25T12:00", ["2025-10-26T00:30", "2025-10-27T01:30"]),
        # Lord Howe puts its clock forward by half an hour, at 02:00: 02:30 is what it shows next.
        ("Australia/Lord_Howe", "2025-10-04T00:00", ["2025-10-04T15:30", "2025-10-05T15:30"]),
        ("Asia/Kolkata", "2025-03-29T12:00", ["2025-03-29T21:00", "2025-03-30T21:00"]),
    ],
)
def test_half_past_two(name: str, start: str, expected: list[str]) -> None:
    rule = Rule(Cron("30 2 * * *"), zoneinfo.ZoneInfo(name))
    after = datetime.fromisoformat(start).replace(tzinfo=UTC)

    found = [f"{tick:%Y-%m-%dT%H:%M}" for tick, _ in zip(clock.ticks(rule, after), range(2), strict=False)]

    assert found == expected


def test_an_interval_goes_by_elapsed_time_through_every_change() -> None:
    anchor = datetime(2025, 10, 25, 12, tzinfo=UTC)
    rule = Rule(Interval(5400, anchor), zoneinfo.ZoneInfo("Europe/Berlin"))

    found = between(rule, anchor, anchor + DAY)

    assert found == [anchor + n * timedelta(seconds=5400) for n in range(16)]
    assert clock.next_after(rule, anchor - DAY) == anchor, "its first tick is its anchor"
    assert clock.next_after(rule, found[3] + timedelta(microseconds=1)) == found[4]


def test_a_single_instant_comes_once() -> None:
    at = datetime(2025, 5, 1, 12, tzinfo=UTC)
    rule = Rule(Once(at))

    assert clock.next_after(rule, at - MINUTE) == at
    assert clock.next_after(rule, at) is None


@pytest.mark.parametrize(
    ("cron", "after", "expected"),
    [
        ("0 0 29 2 *", "2025-01-01", "2028-02-29"),
        ("0 0 31 * *", "2025-03-31", "2025-05-31"),
        ("0 0 L * *", "2025-02-01", "2025-02-28"),
        ("0 0 1 1 *", "2025-01-01", "2026-01-01"),
        ("0 6-6 * * *", "2025-01-01", "2025-01-01T06:00"),
    ],
)
def test_rare_days(cron: str, after: str, expected: str) -> None:
    found = clock.next_after(Rule(Cron(cron)), datetime.fromisoformat(after).replace(tzinfo=UTC))
    assert found == datetime.fromisoformat(expected).replace(tzinfo=UTC)


def test_a_cron_that_never_fires_ends_the_search() -> None:
    assert clock.next_after(Rule(Cron("0 0 30 2 *")), FIRST) is None
    no_day = Calendar(Days.WORKING, working_weekdays=frozenset({7}))
    assert clock.next_after(Rule(Cron("0 0 * * 1"), calendar=no_day), FIRST) is None
    assert (
        clock.next_after(Rule(Interval(86_400 * 7, datetime(2025, 1, 6, tzinfo=UTC)), calendar=no_day), FIRST) is None
    )


# -- calendars


@given(
    st.dates(date(2020, 1, 1), date(2035, 12, 31)),
    st.frozensets(st.integers(1, 7), min_size=1),
    st.frozensets(st.integers(1, 31)),
)
def test_a_month_has_one_last_working_day_and_nothing_works_after_it(
    day: date, weekdays: frozenset[int], off: frozenset[int]
) -> None:
    month = [
        day.replace(day=n)
        for n in range(1, 32)
        if n <= (day.replace(day=28) + 4 * DAY).replace(day=1).toordinal() - day.replace(day=1).toordinal()
    ]
    holidays = {each: "off" for each in month if each.day in off}
    works = [each for each in month if each.isoweekday() in weekdays and each not in holidays]

    last = [each for each in month if Calendar(Days.LAST_WORKING, weekdays, holidays).lets(each)]
    first = [each for each in month if Calendar(Days.FIRST_WORKING, weekdays, holidays).lets(each)]

    assert (first, last) == (works[:1], works[-1:])


def test_the_last_working_day_at_six_where_the_company_is() -> None:
    zone = zoneinfo.ZoneInfo("Asia/Dubai")
    sunday_to_thursday = frozenset({7, 1, 2, 3, 4})
    calendar = Calendar(Days.LAST_WORKING, sunday_to_thursday, {date(2025, 4, 30): "a holiday"})

    found = between(
        Rule(Cron("0 18 * * *"), zone, calendar), datetime(2025, 3, 1, tzinfo=UTC), datetime(2025, 6, 1, tzinfo=UTC)
    )

    assert [f"{each.astimezone(zone):%a %d %b %H:%M}" for each in found] == [
        "Mon 31 Mar 18:00", "Tue 29 Apr 18:00", "Thu 29 May 18:00",
    ]  # fmt: skip


def test_a_holiday_has_its_ticks_so_that_somebody_can_say_why_they_were_skipped() -> None:
    calendar = Calendar(Days.WORKING, holidays={date(2025, 5, 1): "Labour Day"})
    rule = Rule(Cron("0 8 * * *"), calendar=calendar)

    found = between(rule, datetime(2025, 4, 30, tzinfo=UTC), datetime(2025, 5, 6, tzinfo=UTC))

    assert [each.day for each in found] == [30, 1, 2, 5]
    assert [calendar.holiday(each.date()) for each in found] == [None, "Labour Day", None, None]
    assert Calendar(Days.EVERY, holidays={date(2025, 5, 1): "Labour Day"}).holiday(date(2025, 5, 1)) is None


@given(st.times(), st.times(), st.times())
def test_quiet_hours_and_the_rest_of_the_day_share_no_moment(begins: time, ends: time, wall: time) -> None:
    assume(begins != ends)
    assert QuietHours(begins, ends).hold(wall) != QuietHours(ends, begins).hold(wall)


def test_quiet_hours_over_midnight() -> None:
    night = QuietHours(time(22), time(6, 30))
    assert [night.hold(each) for each in (time(21, 59), time(22), time(0), time(6, 29), time(6, 30), time(12))] == [
        False, True, True, True, False, False,
    ]  # fmt: skip


def test_the_clock_has_no_clock() -> None:
    """Pure: it is told every instant, and takes none from the host or the database."""
    for module in (clock, calendars):
        assert not re.search(r"\bnow\(|utcnow|time\.time|django|queries", inspect.getsource(module)), module
