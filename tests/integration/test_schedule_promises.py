"""What a schedule promises where something else is between: a task's own uniqueness, a guard, another zone, a declaration that is past."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from procrastinate.contrib.django import app

from tests.integration.desk import Desk, execute, job, rows
from tests.integration.schedules import fire, long_ago, make, told
from youtility_tasks import Task, Unique, controls, errors, registry, roster, schedules, suspension, tenant
from youtility_tasks.models import ScheduledTask, ScheduledTaskExecution
from youtility_tasks.schedules import defaults

pytestmark = pytest.mark.django_db


def report(*, site_id: int = 1) -> int:
    return site_id


def running(row: ScheduledTask, desk: Desk) -> int:
    """Its job, begun; and as if that had been long ago."""
    fire(long_ago(row, minutes=5))
    begun = desk.take()
    ScheduledTaskExecution.objects.filter(schedule_id=row.pk).update(tick_at=datetime(2020, 1, 1, tzinfo=UTC))
    row.refresh_from_db()
    return begun.id


# -- overlap=cancel_running


def test_a_tick_that_makes_no_job_ends_none(desk: Desk, declare: Callable[..., Task]) -> None:
    refuses: list[str] = []

    def guard(arguments: dict[str, Any]) -> None:
        if refuses:
            raise errors.WrongArguments(refuses[0])

    row = make(declare(report, tenant="all", guard=guard), overlap="cancel_running")
    job_id = running(row, desk)
    refuses.append("the site is closed")
    fire(long_ago(row, minutes=5))

    assert told(row) == [("fired", ""), ("skipped", "refused")]
    assert not job(job_id).abort_requested
    assert rows("SELECT 1 FROM youtility_tasks_taskauditlog WHERE act = 'cancel'") == []

    refuses.clear()
    ScheduledTaskExecution.objects.filter(reason="refused").delete()
    fire(long_ago(row, minutes=5))
    assert job(job_id).abort_requested


def test_a_job_that_would_be_the_running_one_itself_ends_nothing(desk: Desk, declare: Callable[..., Task]) -> None:
    task = declare(report, tenant="all", unique=Unique())
    row = make(task)
    execute("UPDATE youtility_tasks_scheduledtask SET overlap = 'cancel_running'")
    job_id = running(row, desk)
    fire(long_ago(row, minutes=5))

    assert told(row) == [("fired", ""), ("skipped", "twin")]
    assert not job(job_id).abort_requested


@pytest.mark.parametrize(
    ("unique", "is_taken"),
    [(Unique(), False), (Unique(while_="until_done"), False), ("k", False), (Unique(while_="waiting"), True), (None, True)],
)  # fmt: skip
def test_cancel_running_is_for_tasks_of_which_another_can_begin(
    declare: Callable[..., Task], unique: Unique | str | None, is_taken: bool
) -> None:
    task = declare(report, tenant="all", unique=unique)
    if is_taken:
        assert make(task, overlap="cancel_running").overlap == "cancel_running"
        return
    with pytest.raises(errors.WrongSchedule, match=r"unique while it runs.*right is overlap='skip'"):
        make(task, overlap="cancel_running")


# -- zones, names and years


def test_another_zone_of_the_tenant_makes_no_tick_of_the_past(acme: int, add_task: Task) -> None:
    with tenant(acme):
        ((hour,),) = rows(
            "SELECT extract(hour FROM clock_timestamp() AT TIME ZONE 'UTC' + interval '3 hours')::integer"
        )
        row = make(add_task, cron=f"0 {hour} * * *")
        execute("UPDATE youtility_tasks_scheduledtask SET settled_to = clock_timestamp() - interval '20 hours'")
        schedules.holidays.set_zone(acme, "Asia/Tokyo")  # where this hour was this morning
        fire(row)

        assert told(row) == []
        row.refresh_from_db()
        ((is_ahead,),) = rows("SELECT next_at > clock_timestamp() FROM youtility_tasks_scheduledtask")
        assert is_ahead and row.next_at is not None and (row.next_at + timedelta(hours=9)).hour == hour


def test_what_was_due_before_another_zone_is_not_lost(acme: int, add_task: Task) -> None:
    with tenant(acme):
        row = long_ago(make(add_task, cron="*/10 * * * *", missed="all", missed_most=3), minutes=30)
        schedules.holidays.set_zone(acme, "Asia/Tokyo")
        fire(row)
        assert told(row) == [("fired", "")] * 3


def test_a_tenant_that_returns_has_no_ticks_of_the_time_that_it_was_away(acme: int, add_task: Task) -> None:
    with tenant(acme):
        row = make(add_task, cron="* * * * *", missed="all", missed_most=100)
    suspension.suspend(acme)
    long_ago(row, hours=3)
    roster.add(acme, "Acme again")

    settled = fire(row)

    assert settled is not None and len(settled.fired) <= 1, "one that fell into this moment"
    row.refresh_from_db()
    assert row.next_at is not None and row.next_at > row.settled_to


@pytest.mark.parametrize("name", ["a\x00", "", "x" * 129, None])
def test_a_name_that_none_can_have_is_a_typed_error_everywhere(sweep_task: Task, name: Any) -> None:
    for act in (schedules.get, schedules.pause, schedules.run_now, schedules.remove, schedules.preview):
        with pytest.raises(errors.UnknownSchedule):
            act(name)
    with pytest.raises(errors.WrongSchedule, match="1 to 128 printable characters"):
        make(sweep_task, name)


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/New_York"])
@pytest.mark.parametrize("at", [datetime(9999, 12, 31, 23, 59, tzinfo=UTC), datetime(1, 1, 1, tzinfo=UTC)])
@pytest.mark.parametrize("every_s", [None, 60])
def test_an_instant_at_the_end_of_all_calendars_is_refused(
    sweep_task: Task, zone: str, at: datetime, every_s: int | None
) -> None:
    with pytest.raises(errors.WrongSchedule, match="right is from the year 1900 to 9997"):
        make(sweep_task, cron=None, at=at, zone=zone, every_s=every_s)


# -- declared


def renamed(declare: Callable[..., Task], task: Task, name: str, **options: Any) -> Task:
    """As the next release declares it."""
    registry.forget(task.name)
    app.tasks.pop(task.name)
    return declare(report, name=name, aliases=(task.name,), tenant="all", **options)


def test_a_declared_schedule_goes_on_under_the_new_name_of_its_task(declare: Callable[..., Task]) -> None:
    task = declare(report, name="old_report", tenant="all", schedule="0 1 * * *")
    defaults.agree()
    schedules.change("old_report", jitter_s=30)
    made = schedules.get("old_report").pk
    new = renamed(declare, task, "new_report", schedule="0 1 * * *")

    assert "new_report is declared and not made" in defaults.agree(dry_run=True).differences
    done = defaults.agree()

    assert ("new_report" in done.followed, done.orphans) == (True, [])
    row = schedules.get("new_report")
    assert (row.pk, row.task_name, row.jitter_s) == (made, new.name, 30)
    assert not ScheduledTask.objects.filter(name="old_report").exists(), "it would fire beside the other"
    again = defaults.agree()
    assert ("new_report" in again.followed, "new_report" in again.left) == (False, True), "it was edited, and stays so"


def test_behind_a_pause_of_its_task_under_the_new_name_one_job_waits(declare: Callable[..., Task]) -> None:
    task = declare(report, name="old_report", tenant="all")
    row = make(task)
    new = renamed(declare, task, "new_report")
    controls.pause(task=new.name)
    for _ in range(2):
        fire(long_ago(row, minutes=5))
        ScheduledTaskExecution.objects.filter(outcome="fired").update(tick_at=datetime(2020, 1, 1, tzinfo=UTC))
        row.refresh_from_db()

    assert told(row) == [("fired", ""), ("skipped", "held")]


def declared_as(settings: Any, **schedules: Any) -> None:
    settings.YOUTILITY_TASKS = {**settings.YOUTILITY_TASKS, "schedules": schedules}


def test_a_declared_instant_that_is_past_is_no_difference(sweep_task: Task, settings: Any) -> None:
    at = datetime.now(UTC) + timedelta(hours=1)
    declared_as(settings, once={"task": sweep_task.name, "at": at})
    defaults.agree()
    past = datetime.now(UTC) - timedelta(hours=1)
    execute("UPDATE youtility_tasks_scheduledtask SET at = %s, next_at = NULL WHERE name = 'once'", past)
    declared_as(settings, once={"task": sweep_task.name, "at": past})

    assert defaults.agree(dry_run=True).differences == []

    declared_as(settings, once={"task": sweep_task.name, "at": past - timedelta(hours=1)})
    assert "never fires" in defaults.agree(dry_run=True).differences[0]


def test_another_declared_instant_to_count_from_is_followed(sweep_task: Task, settings: Any) -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    declared_as(settings, often={"task": sweep_task.name, "every_s": 3600, "at": at})
    defaults.agree()
    declared_as(settings, often={"task": sweep_task.name, "every_s": 3600, "at": at + timedelta(minutes=30)})

    assert defaults.agree().followed == ["often"]
    assert schedules.get("often").at == at + timedelta(minutes=30)
    assert defaults.agree().followed == []
    declared_as(settings, often={"task": sweep_task.name, "every_s": 3600})
    assert defaults.agree().differences == [], "without an instant it counts on from the one that it has"
