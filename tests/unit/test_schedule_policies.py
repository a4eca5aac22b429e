"""Which ticks fire after a while without workers, and that a tick's jitter is always the same."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from youtility_tasks.models.schedules import Missed, Reason
from youtility_tasks.schedules import jitter, policies

NOW = datetime(2025, 6, 2, 12, 0, 5, tzinfo=UTC)
HOURLY = [NOW.replace(hour=hour, second=0) for hour in (9, 10, 11, 12)]


def fired(missed: Missed, *, most: int = 1, grace_s: int = 60, ticks: list[datetime] = HOURLY) -> list[int]:
    verdicts = policies.decide(ticks, now=NOW, missed=missed, most=most, grace_s=grace_s, excuse=lambda tick: None)
    assert [each.tick for each in verdicts] == ticks
    assert all(each.detail for each in verdicts if each.reason)
    return [each.tick.hour for each in verdicts if each.reason is None]


@pytest.mark.parametrize(
    ("missed", "most", "grace_s", "hours"),
    [
        (Missed.NONE, 1, 60, [12]),
        (Missed.NONE, 1, 4, []),
        (Missed.LATEST, 1, 4, [12]),
        (Missed.ALL, 3, 4, [10, 11, 12]),
        (Missed.ALL, 100, 4, [9, 10, 11, 12]),
    ],
)
def test_after_three_hours_the_policy_says_which_ticks_fire(
    missed: Missed, most: int, grace_s: int, hours: list[int]
) -> None:
    assert fired(missed, most=most, grace_s=grace_s) == hours


def test_a_tick_with_an_excuse_is_not_counted_among_the_missed() -> None:
    verdicts = policies.decide(
        HOURLY, now=NOW, missed=Missed.LATEST, most=1, grace_s=60,
        excuse=lambda tick: (Reason.HOLIDAY, "a holiday") if tick.hour >= 11 else None,
    )  # fmt: skip
    assert [(each.tick.hour, each.reason) for each in verdicts] == [
        (9, Reason.MISSED), (10, None), (11, Reason.HOLIDAY), (12, Reason.HOLIDAY),
    ]  # fmt: skip


@given(st.integers(0, 40), st.sampled_from(Missed), st.integers(1, 9), st.integers(1, 7200))
def test_every_tick_has_one_verdict_and_never_more_fire_than_the_policy_lets(
    n: int, missed: Missed, most: int, grace_s: int
) -> None:
    ticks = [NOW - timedelta(minutes=7 * each) for each in reversed(range(n))]
    verdicts = policies.decide(ticks, now=NOW, missed=missed, most=most, grace_s=grace_s, excuse=lambda tick: None)

    assert [each.tick for each in verdicts] == ticks
    count = sum(each.reason is None for each in verdicts)
    assert count == min(n, {Missed.NONE: 1, Missed.LATEST: 1, Missed.ALL: most}[missed])


@given(st.integers(1, 2**62), st.datetimes(datetime(2020, 1, 1), datetime(2036, 1, 1)), st.integers(0, 86_400))
def test_jitter_is_the_same_for_whoever_asks_and_stays_below_its_bound(schedule: int, at: datetime, most: int) -> None:
    tick = at.replace(tzinfo=UTC)
    found = jitter.delay(schedule, tick, most)
    assert found == jitter.delay(schedule, tick.astimezone(UTC), most)
    assert timedelta() <= found and (found < timedelta(seconds=most) or most == 0)


def test_jitter_spreads_schedules_of_one_tick() -> None:
    delays = {jitter.delay(schedule, NOW, 60) for schedule in range(200)}
    assert len(delays) > 190 and max(delays) - min(delays) > timedelta(seconds=50)
