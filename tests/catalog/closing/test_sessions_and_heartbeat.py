"""cleanup_expired_sessions_task and task_every_min on a real database."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session

from task_catalog.maintenance import sessions
from task_catalog.maintenance.heartbeat import task_every_min
from task_catalog.maintenance.sessions import cleanup_expired_sessions_task
from task_catalog.models import Heartbeat
from tests.catalog.closing.world import START, run
from youtility_tasks import BadInput
from youtility_tasks.testing import assert_enqueued, run_jobs

NOON = START.replace(hour=12)


def sessions_of(*ages_days: float) -> None:
    Session.objects.bulk_create(
        Session(session_key=f"s{Session.objects.count()}-{n}", session_data="", expire_date=NOON - timedelta(days=age))
        for n, age in enumerate(ages_days)
    )


@pytest.mark.django_db
def test_d44_expired_sessions_are_deleted_in_batches_and_the_others_stay(monkeypatch):
    monkeypatch.setattr(sessions, "BATCH", 3)
    sessions_of(0.1, 1, 2, 3, 4, 5, 6, -1, -2)

    result = run(cleanup_expired_sessions_task)

    assert result == {"status": "ok", "warnings": [], "deleted": 7, "remaining": 0}
    assert Session.objects.count() == 2
    assert run(cleanup_expired_sessions_task)["deleted"] == 0


@pytest.mark.django_db
def test_a_session_that_expires_this_instant_stays():
    sessions_of(0)

    assert run(cleanup_expired_sessions_task)["deleted"] == 0


@pytest.mark.django_db
def test_retention_keeps_younger_ones():
    sessions_of(1, 6, 8)

    assert run(cleanup_expired_sessions_task, retention_days=7)["deleted"] == 1


@pytest.mark.django_db
@pytest.mark.parametrize("days", [-1, True, "7", 1.5, 10**9])
def test_a_senseless_retention_is_bad_input(days):
    sessions_of(1)

    with pytest.raises(BadInput, match="retention_days"):
        run(cleanup_expired_sessions_task, retention_days=days)

    assert Session.objects.count() == 1


@pytest.mark.django_db
def test_a_run_that_is_out_of_time_leaves_the_rest_to_a_job_it_enqueues():
    sessions_of(1, 6, 8)

    result = run(cleanup_expired_sessions_task, used_up=0.9, retention_days=7)

    assert (result["status"], result["deleted"], result["remaining"]) == ("partial", 0, 1)
    assert_enqueued("cleanup_expired_sessions_task", retention_days=7)
    run_jobs("maintenance")
    assert Session.objects.count() == 2


@pytest.mark.django_db
def test_a_heartbeat_tells_the_minute_and_how_late_it_is():
    scheduled = NOON - timedelta(seconds=90)

    result = run(task_every_min, timestamp=int(scheduled.timestamp()))

    assert result == {"status": "ok", "warnings": [], "at": NOON.isoformat(), "lag_seconds": 90.0}
    beat = Heartbeat.objects.get()
    assert (beat.minute, beat.worker_group, beat.at) == (NOON - timedelta(minutes=2), "maintenance", NOON)


@pytest.mark.django_db
def test_without_a_timestamp_the_present_minute_counts(clock_at):
    clock_at(NOON + timedelta(seconds=12.5))

    assert run(task_every_min)["lag_seconds"] == 12.5
    assert Heartbeat.objects.get().minute == NOON


@pytest.mark.django_db
def test_a_minute_has_one_row_however_often_the_task_runs(clock_at):
    run(task_every_min)
    clock_at(NOON + timedelta(seconds=30))
    run(task_every_min)
    clock_at(NOON + timedelta(seconds=60))
    run(task_every_min)

    assert list(Heartbeat.objects.order_by("minute").values_list("lag_seconds", flat=True)) == [30.0, 0.0]


@pytest.mark.django_db
@pytest.mark.parametrize("timestamp", ["now", True, 1.5, 10**18])
def test_a_senseless_timestamp_is_bad_input(timestamp):
    with pytest.raises(BadInput, match="timestamp is"):
        run(task_every_min, timestamp=timestamp)
