"""Beat's rules in our words: held against Celery's own clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

celery = pytest.importorskip("celery")

from celery.schedules import crontab  # noqa: E402

from youtility_tasks.celery_bridge import timings  # noqa: E402
from youtility_tasks.errors import WrongSchedule  # noqa: E402
from youtility_tasks.models import ScheduledTask  # noqa: E402
from youtility_tasks.schedules import clock, definition  # noqa: E402
from youtility_tasks.schedules.reading import read  # noqa: E402

APP = celery.Celery("clock", set_as_current=False)
KOLKATA = ZoneInfo("Asia/Kolkata")
FIELDS = {
    "minute": ["*", "*/7", "0", "5,35", "50-10", "10-50/20"],
    "hour": ["*", "*/5", "0", "22-3", "8-17/3", "9"],
    "day_of_month": ["*", "1-7,15-21", "*/2", "31", "28-3"],
    "month_of_year": ["*", "*/3", "jan,jul", "11-2"],
    "day_of_week": ["*", "mon-fri", "sunday", "5-1", "0,3", "*/2"],
}


def ours(fields: dict[str, Any], zone: str = "Asia/Kolkata") -> clock.Rule:
    row = ScheduledTask(tenant_id=0, name="it")
    definition.apply(row, timings.of_crontab(fields, zone).words)
    return read(row).rule


def celerys_next(fields: dict[str, Any], last: datetime) -> datetime:
    began, delta, _ = crontab(**fields, nowfun=lambda: last, app=APP).remaining_delta(last, tz=KOLKATA)
    return (began + delta).astimezone(UTC)


@settings(max_examples=150)
@given(
    st.fixed_dictionaries({name: st.sampled_from(words) for name, words in FIELDS.items()}),
    st.integers(0, 700 * 86_400),
)
def test_a_crontab_fires_when_celery_says(fields: dict[str, str], second: int) -> None:
    last = datetime(2026, 1, 1, tzinfo=KOLKATA) + timedelta(seconds=second)
    try:
        theirs = celerys_next(fields, last)
    except (ValueError, RuntimeError):  # no such day in those months
        return

    assert clock.next_after(ours(fields), last.astimezone(UTC)) == theirs


def test_both_days_are_meant_where_a_cron_would_mean_either() -> None:
    first_mondays = timings.of_crontab({"minute": "0", "hour": "4", "day_of_month": "1-7", "day_of_week": "mon"}, "UTC")

    assert first_mondays.words == {
        "cron": "0 4 1-7 * *", "days": "weekdays", "working_weekdays": "1", "zone": "UTC",
    }  # fmt: skip


def test_sunday_is_0_and_7_and_beats_silence_about_7_is_told() -> None:
    zero = timings.of_crontab({"minute": 0, "hour": 0, "day_of_week": "0"}, "UTC")
    seven = timings.of_crontab({"minute": "0", "hour": "0", "day_of_week": "7"}, "UTC")

    assert zero.words["cron"] == seven.words["cron"] == "0 0 * * 0"
    assert zero.notes == () and "never fired" in seven.notes[0]
    assert timings.of_crontab({"day_of_week": "5-7"}, "UTC").words["cron"] == "* * * * 0,5,6"


@pytest.mark.parametrize("given_field", ["61", "x", "", "5/15", [60], 7.5])
def test_what_celery_cannot_read_is_refused(given_field: Any) -> None:
    if given_field == "":
        assert timings.of_crontab({"minute": ""}, "UTC").words["cron"] == "* * * * *"
        return
    with pytest.raises(WrongSchedule, match="its minute is"):
        timings.of_crontab({"minute": given_field}, "UTC")


@pytest.mark.parametrize(
    "every", [timedelta(microseconds=500_000), timedelta(seconds=1.5), timedelta(0), timedelta(days=400)]
)
def test_an_interval_that_is_no_whole_second_is_refused_with_the_way_out(every: timedelta) -> None:
    with pytest.raises(WrongSchedule, match="a loop inside one job"):
        timings.of_interval(every, datetime(2026, 1, 1, tzinfo=UTC))


def test_a_relative_interval_counts_from_a_whole_unit() -> None:
    at = datetime(2026, 3, 4, 5, 6, 7, 8, tzinfo=UTC)

    assert timings.truncated(at, timedelta(minutes=30)) == datetime(2026, 3, 4, 5, 6, tzinfo=UTC)
    assert timings.truncated(at, timedelta(hours=2)) == datetime(2026, 3, 4, 5, tzinfo=UTC)
    assert timings.truncated(at, timedelta(days=1)) == datetime(2026, 3, 4, tzinfo=UTC)
