"""A tick, its job and its row are one transaction, whoever looks and however many; and every tick has a row that says what became of it."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from tests.integration.desk import execute, rows
from tests.integration.mutants import must_catch
from tests.integration.schedules import due, fire, jobs, long_ago, make, told
from youtility_tasks import Task, controls, metrics, schedules, suspension, tenant
from youtility_tasks.models import Job, ScheduledTask, ScheduledTaskExecution, TaskAuditLog
from youtility_tasks.models.schedules import Reason
from youtility_tasks.schedules import firing
from youtility_tasks.upkeep import duties

pytestmark = pytest.mark.django_db


def told_when(*, timestamp: int, number: int = 0) -> None:
    return None


# -- one tick


def test_a_due_tick_is_one_job_and_one_row_that_names_its_version(sweep_task: Task) -> None:
    row = make(sweep_task, args={"number": 3}, priority=2, queue="reports")
    assert fire(row) is None, "nothing is due yet"
    long_ago(row, minutes=5)

    settled = fire(row)

    (job,) = jobs(sweep_task)
    assert settled is not None and settled.fired == [job.pk]
    assert (job.args, job.priority, job.queue_name, job.tenant_id) == ({"number": 3}, 9, "reports", 0)
    (occurrence,) = schedules.occurrences("it")
    assert (occurrence.outcome, occurrence.version, occurrence.job_id) == ("fired", 1, job.pk)
    assert occurrence.tick_at.minute % 5 == 0 and occurrence.tick_at.second == 0
    row.refresh_from_db()
    assert row.next_at is not None and row.next_at == occurrence.tick_at + timedelta(minutes=5)
    assert row.version == 1, "that it goes on is no new version"
    assert fire(row) is None


def test_a_job_belongs_to_the_schedules_tenant(acme: int, other_tenant: int, add_task: Task) -> None:
    for tenant_id in (acme, other_tenant):
        with tenant(tenant_id):
            long_ago(make(add_task, args={"number": tenant_id}), minutes=5)
    for row in ScheduledTask.objects.all():
        fire(row)

    assert [(each.tenant_id, each.args) for each in jobs(add_task)] == [(7, {"number": 7}), (8, {"number": 8})]
    with tenant(acme):
        assert [each.tenant_id for each in schedules.listing()] == [acme]


def test_no_occurrence_of_a_schedule_of_another_tenant_can_be_written(acme: int, add_task: Task) -> None:
    with tenant(acme):
        row = make(add_task)

    with pytest.raises(IntegrityError, match="yt_occurrence_of_schedule"), transaction.atomic():
        ScheduledTaskExecution.objects.create(
            tenant_id=8, schedule_id=row.pk, tick_at=datetime.now(UTC), version=1, outcome="fired"
        )
        execute("SET CONSTRAINTS ALL IMMEDIATE")


def test_jitter_moves_the_job_and_not_the_tick(sweep_task: Task) -> None:
    row = long_ago(make(sweep_task, cron="* * * * *", jitter_s=86_400), minutes=1)
    fire(row)

    (occurrence,), (job,) = schedules.occurrences("it"), jobs(sweep_task)
    assert occurrence.tick_at.second == 0
    assert occurrence.starts_at is not None and occurrence.tick_at < occurrence.starts_at
    assert job.scheduled_at == occurrence.starts_at


def test_a_tick_can_be_told_to_the_task(declare: Callable[..., Task]) -> None:
    row = long_ago(make(declare(told_when, tenant="all"), tick_argument="timestamp", args={"number": 1}), minutes=5)
    fire(row)

    (occurrence,) = schedules.occurrences("it")
    assert Job.objects.get().args == {"number": 1, "timestamp": int(occurrence.tick_at.timestamp())}


def test_an_interval_and_a_single_instant(sweep_task: Task) -> None:
    start = metrics.database_clock() - timedelta(hours=7 * 100 + 1)
    every = long_ago(make(sweep_task, "every", cron=None, every_s=7 * 3600, at=start), hours=2)
    fire(every)
    (occurrence,) = schedules.occurrences("every")
    assert occurrence.tick_at - start == timedelta(hours=7 * 100)

    soon = rows("SELECT clock_timestamp() + interval '1 hour'")[0][0]
    once = make(sweep_task, "once", cron=None, at=soon)
    assert once.next_at == soon
    ScheduledTask.objects.filter(pk=once.pk).update(at=soon - timedelta(hours=2), settled_to=soon - timedelta(hours=3))
    once.refresh_from_db()
    execute(
        "UPDATE youtility_tasks_scheduledtask SET settled_to = %s WHERE id = %s", soon - timedelta(hours=3), once.pk
    )
    fire(once)
    once.refresh_from_db()
    assert once.next_at is None and told(once) == [("fired", "")]


# -- what was missed


@pytest.mark.parametrize(
    ("said", "fired", "missed"),
    [
        ({"missed": "none"}, 0, 36),
        ({"missed": "latest"}, 1, 35),
        ({"missed": "all", "missed_most": 10}, 10, 26),
        ({"missed": "all", "missed_most": 1000}, 36, 0),
    ],
)
def test_after_three_hours_without_workers_the_policy_has_its_count_and_the_rest_a_row(
    sweep_task: Task, said: dict[str, Any], fired: int, missed: int, caplog: pytest.LogCaptureFixture
) -> None:
    start = rows("SELECT clock_timestamp() - interval '12100 s'")[0][0]  # so that its last tick was 100 s ago
    row = long_ago(make(sweep_task, cron=None, every_s=300, at=start, **said), hours=3)

    with caplog.at_level("INFO"):
        settled = fire(row)

    assert settled is not None
    counted = len(settled.fired), settled.skipped.get(Reason.MISSED, 0)
    assert counted == (fired, missed)
    assert len(jobs(sweep_task)) == fired
    if missed:
        assert f"missed={missed}" in caplog.text and f"fired={fired}" in caplog.text
    ticks = list(ScheduledTaskExecution.objects.order_by("tick_at").values_list("tick_at", flat=True))
    assert {b - a for a, b in itertools.pairwise(ticks)} == {timedelta(minutes=5)}, "no gap"


def test_a_long_run_of_skipped_ticks_is_one_row_that_says_for_how_many_it_stands(sweep_task: Task) -> None:
    row = long_ago(make(sweep_task, cron="* * * * *"), days=10)
    fire(row)

    found = list(ScheduledTaskExecution.objects.order_by("tick_at"))
    assert [each.outcome for each in found] == ["skipped", "fired"]
    assert found[0].tick_count == 999
    assert "and all before since" in found[0].detail


# -- why not


def test_overlap(sweep_task: Task) -> None:
    by_policy = {overlap: make(sweep_task, overlap, overlap=overlap) for overlap in ("allow", "skip", "cancel_running")}
    for overlap, row in by_policy.items():
        fire(long_ago(row, minutes=5))
        first = Job.objects.latest("pk")
        row.refresh_from_db()
        ScheduledTaskExecution.objects.filter(schedule_id=row.pk).update(tick_at=datetime(2020, 1, 1, tzinfo=UTC))
        settled = fire(long_ago(row, minutes=5))
        assert settled is not None
        stays = Job.objects.filter(pk=first.pk).exists()
        assert (len(settled.fired), settled.skipped.get(Reason.OVERLAP, 0), stays) == {
            "allow": (1, 0, True), "skip": (0, 1, True), "cancel_running": (1, 0, False),
        }[overlap]  # fmt: skip
    job_id = by_policy["skip"].live_jobs
    assert ScheduledTaskExecution.objects.get(reason="overlap").detail.startswith("job ") and job_id is not None
    ((actor, reason),) = rows("SELECT actor, reason FROM youtility_tasks_taskauditlog WHERE act = 'cancel'")
    assert actor == "schedule cancel_running" and "fired again" in reason

    Job.objects.all().delete()
    row = by_policy["skip"]
    ScheduledTaskExecution.objects.filter(schedule_id=row.pk).delete()
    settled = fire(long_ago(row, minutes=5))
    assert settled is not None and settled.fired, "what it waited for has ended"


def test_behind_a_pause_of_its_queue_one_job_waits_and_not_one_a_tick(sweep_task: Task) -> None:
    row = long_ago(make(sweep_task, missed="all", missed_most=50), minutes=30)
    controls.pause(queue=sweep_task.queue_name)

    settled = fire(row)

    assert settled is not None
    assert len(settled.fired) == 1 and settled.skipped[Reason.HELD] == 5
    assert "waits under a pause of queue" in ScheduledTaskExecution.objects.filter(reason="held")[0].detail


def test_each_tick_of_a_pause_has_a_row_and_is_not_caught_up(sweep_task: Task) -> None:
    row = make(sweep_task, missed="all", missed_most=100)
    schedules.pause("it", reason="the printer is away")
    long_ago(row, minutes=60)
    execute("UPDATE youtility_tasks_scheduledtask SET paused_at = clock_timestamp() - interval '40 minutes'")
    row.refresh_from_db()

    fire(row)
    assert {reason for _, reason in told(row)} == {"", "paused"}
    assert len(jobs(sweep_task)) == 4, "what was due before the pause"
    assert "the printer is away" in ScheduledTaskExecution.objects.filter(reason="paused")[0].detail

    schedules.resume("it")
    assert len(jobs(sweep_task)) == 4
    long_ago(row, minutes=5)
    ScheduledTaskExecution.objects.all().delete()
    fire(row)
    assert len(jobs(sweep_task)) == 5


def test_a_pause_with_an_end_ends_by_itself(sweep_task: Task) -> None:
    row = make(sweep_task, missed="all", missed_most=100)
    schedules.pause("it", minutes=30)
    long_ago(row, minutes=60)
    execute(
        "UPDATE youtility_tasks_scheduledtask SET paused_at = clock_timestamp() - interval '60 minutes',"
        " paused_until = clock_timestamp() - interval '20 minutes'"
    )
    row.refresh_from_db()

    settled = fire(row)

    assert settled is not None and (len(settled.fired), settled.skipped[Reason.PAUSED]) == (4, 8)


def test_holidays_of_the_tenant_and_of_the_site(acme: int, other_tenant: int, add_task: Task) -> None:
    ((today,),) = rows("SELECT (clock_timestamp() AT TIME ZONE 'UTC')::date")
    yesterday = today - timedelta(days=1)
    days = [yesterday, today]  # the ticks of five minutes ago may be yesterday's
    with tenant(other_tenant):
        for day in days:
            schedules.holidays.add(day, "not ours")
    found = {}
    with tenant(acme):
        for day in days:
            schedules.holidays.add(day, "flood", site_id=4)
        for name, site_id in (("everywhere", None), ("site 4", 4), ("site 5", 5)):
            row = make(add_task, name, days="no_holidays", site_id=site_id)
            fire(long_ago(row, minutes=5))
            found[name] = told(row)
    assert found == {"everywhere": [("fired", "")], "site 4": [("skipped", "holiday")], "site 5": [("fired", "")]}
    assert ScheduledTaskExecution.objects.get(reason="holiday").detail == "flood"


def test_quiet_hours_are_those_of_its_own_clock(sweep_task: Task) -> None:
    ((now,),) = rows("SELECT clock_timestamp() AT TIME ZONE 'UTC'")
    begins, ends = (now - timedelta(hours=1)).time(), (now + timedelta(hours=1)).time()
    here = make(sweep_task, "here", quiet=(begins, ends))
    elsewhere = make(sweep_task, "elsewhere", quiet=(begins, ends), zone="Asia/Tokyo")
    for row in (here, elsewhere):
        fire(long_ago(row, minutes=5))
    assert told(here) == [("skipped", "quiet_hours")]
    assert told(elsewhere) == [("fired", "")]


def test_a_job_that_is_refused_is_a_row_that_says_why_and_the_next_tick_tries_again(sweep_task: Task) -> None:
    row = long_ago(make(sweep_task, args={"number": 1}), minutes=5)
    execute("""UPDATE youtility_tasks_scheduledtask SET args = '{"nonsense": 1}'""")
    long_ago(row, minutes=5)

    settled = fire(row)

    assert settled is not None and settled.skipped == {Reason.REFUSED: 1}
    (occurrence,) = schedules.occurrences("it")
    assert "WrongArguments" in occurrence.detail and "nonsense" in occurrence.detail
    assert (occurrence.outcome, occurrence.version) == ("skipped", 2)
    row.refresh_from_db()
    assert row.next_at is not None


def test_a_rule_that_somebody_broke_by_hand_is_a_row_and_stops_nothing_else(sweep_task: Task) -> None:
    row = make(sweep_task)
    execute("UPDATE youtility_tasks_scheduledtask SET zone = 'Europe/Belrin'")
    row.refresh_from_db()

    fire(row)

    row.refresh_from_db()
    assert row.next_at is None
    assert "Did you mean 'Europe/Berlin'" in schedules.occurrences("it")[0].detail


def test_the_schedules_of_a_tenant_that_left_are_off(acme: int, add_task: Task) -> None:
    with tenant(acme):
        row = long_ago(make(add_task), minutes=5)
    assert due() == {row.pk}
    suspension.suspend(acme)
    assert due() == set()


def test_a_task_that_this_code_does_not_know_is_left_to_other_code(sweep_task: Task, monkeypatch: Any) -> None:
    row = long_ago(make(sweep_task), minutes=5)
    monkeypatch.setattr(firing.registry, "resolve", lambda name: None)
    with pytest.raises(Exception, match="No task is called"):
        fire(row)
    assert due() == {row.pk} and told(row) == []


# -- versions


def test_a_change_is_another_version_whoever_makes_it_and_what_was_due_goes_by_the_old_one(sweep_task: Task) -> None:
    row = long_ago(make(sweep_task, args={"number": 1}), minutes=5)

    changed = schedules.change("it", args={"number": 2}, reason="two is better")

    assert changed.version == 2
    assert [job.args for job in jobs(sweep_task)] == [{"number": 1}]
    ScheduledTaskExecution.objects.update(tick_at=datetime(2020, 1, 1, tzinfo=UTC))
    fire(long_ago(row, minutes=5))
    assert [job.args for job in jobs(sweep_task)] == [{"number": 1}, {"number": 2}]
    assert [each.version for each in reversed(schedules.occurrences("it"))] == [1, 2]
    entered = TaskAuditLog.objects.get(act="change schedule")
    assert entered.before is not None and entered.after is not None
    assert (entered.before["version"], entered.after["version"], entered.reason) == (1, 2, "two is better")


def test_a_change_by_sql_is_a_version_too_and_workers_look_at_once(sweep_task: Task) -> None:
    row = make(sweep_task, cron="0 0 1 1 *")

    def check() -> None:
        execute("UPDATE youtility_tasks_scheduledtask SET cron = '0 0 2 1 *'")
        row.refresh_from_db()
        assert row.version == 2 and due() == {row.pk}
        fire(row)
        row.refresh_from_db()
        assert (row.next_at.day if row.next_at else None, row.version) == (2, 2)

    must_catch(check, "youtility_tasks_schedule_version_v1", "NEW.version := OLD.version + 1;", "")
    must_catch(check, "youtility_tasks_schedule_version_v1", "NEW.next_at := clock_timestamp();", "")


def test_the_zone_of_a_tenant_and_its_last_working_day_are_kept_as_they_change(acme: int, add_task: Task) -> None:
    with tenant(acme):
        row = make(add_task, cron="0 18 * 1 *", days="last_working_day")
        assert row.next_at is not None
        first = row.next_at
        schedules.holidays.set_zone(acme, "Asia/Dubai")
        assert due() == {row.pk}
        fire(row)
        row.refresh_from_db()
        assert row.next_at == first - timedelta(hours=4)
        schedules.holidays.add(first.date(), "a holiday")
        fire(row)
        row.refresh_from_db()
        assert row.next_at is not None and row.next_at.date() < first.date()


def test_occurrences_go_when_the_history_goes(sweep_task: Task, settings: Any) -> None:
    settings.YOUTILITY_TASKS = {"history_retention_days": 30}
    row = long_ago(make(sweep_task, missed="all", missed_most=2), minutes=10)
    fire(row)
    first, second = ScheduledTaskExecution.objects.order_by("tick_at")
    execute(
        "UPDATE youtility_tasks_scheduledtaskexecution SET decided_at = now() - interval '31 days' WHERE id = %s",
        first.pk,
    )
    duty = next(each for each in duties.DUTIES if each.name == "remove old occurrences")

    assert duty.act(datetime.now(UTC), lambda: False) == (1, True)
    assert [each.pk for each in ScheduledTaskExecution.objects.all()] == [second.pk]
