"""When a reminder goes out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from task_catalog.rules.reminders import Moment, moment_of

NOW = datetime(2025, 3, 3, 12, 0, tzinfo=UTC)


def moment(status: str = "", *, remind: int = -10, planned: int = 60) -> Moment:
    return moment_of(
        status, remind_at=NOW + timedelta(minutes=remind), planned_at=NOW + timedelta(minutes=planned), now=NOW
    )


def test_d21_a_reminder_is_due_when_its_time_has_come_not_before():
    assert moment(remind=-1) is Moment.DUE
    assert moment(remind=0) is Moment.DUE
    assert moment(remind=1) is Moment.WAITS


def test_a_reminder_whose_work_has_begun_is_missed():
    assert moment(planned=0) is Moment.MISSED
    assert moment(planned=1) is Moment.DUE


def test_a_failed_reminder_is_tried_again_until_the_work_begins():
    assert moment("FAILED") is Moment.DUE
    assert moment("FAILED", planned=-1) is Moment.SETTLED


@given(st.integers(-1_000, 1_000), st.integers(-1_000, 1_000))
def test_a_sent_reminder_is_never_sent_again(remind, planned):
    assert moment("SUCCESS", remind=remind, planned=planned) is Moment.SETTLED


@pytest.mark.parametrize("status", ["", "FAILED"])
@given(remind=st.integers(-1_000, 1_000), planned=st.integers(-1_000, 1_000))
def test_nothing_is_sent_before_its_time_or_after_the_plan_time(status, remind, planned):
    if moment(status, remind=remind, planned=planned) is Moment.DUE:
        assert remind <= 0 < planned
