"""A clock that the test moves: jobs for later, retries, expiry, schedules and workflows go by it, to the microsecond."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from youtility_tasks import SUCCESS, Retry, Task, Transient, Workflow, schedules, tenant
from youtility_tasks.models import ScheduledTaskExecution, TaskExecutionHistory
from youtility_tasks.testing import (
    Clock,
    assert_not_enqueued,
    drive,
    enqueued_jobs,
    frozen,
    pass_time,
    run_due,
    run_jobs,
    would_fire,
)
from youtility_tasks.testing import clock as clocks

pytestmark = pytest.mark.django_db

THEN = datetime(2031, 5, 6, 7, 8, 9, 10, tzinfo=UTC)
LONG_AGO = datetime(2001, 2, 3, 4, 5, 6, 7, tzinfo=UTC)
MOMENT = timedelta(microseconds=1)

seen: list[Any] = []


@pytest.fixture(autouse=True)
def nothing_seen() -> None:
    seen.clear()


def note(*, what: Any = None, tick: int = 0) -> Any:
    seen.append((what, timezone.now()))
    return what


def fail(*, n: int = 0) -> None:
    seen.append(("fail", timezone.now()))
    raise Transient("not yet")


@pytest.fixture
def note_task(declare: Callable[..., Task]) -> Task:
    return declare(note)


@pytest.mark.parametrize("start", [THEN, LONG_AGO])
def test_a_job_for_later_runs_at_its_instant_and_not_a_moment_before(
    note_task: Task, acme: int, start: datetime
) -> None:
    with tenant(acme), frozen(at=start) as clock:
        note_task.using(run_after=start + timedelta(hours=2)).enqueue()
        clock.tick(timedelta(hours=2) - MOMENT)
        assert run_jobs() == 0
        assert enqueued_jobs()[0].scheduled_at == start + timedelta(hours=2)

        clock.tick(microseconds=1)
        assert run_jobs() == 1

    assert seen == [(None, start + timedelta(hours=2))]


def test_without_its_distance_a_job_would_come_due_while_the_claim_runs(
    note_task: Task, acme: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clocks, "_FAR", timedelta())
    with tenant(acme), frozen(at=THEN):
        note_task.using(run_after=THEN + MOMENT).enqueue()

        assert run_jobs() == 1


def test_a_job_that_is_due_by_the_real_clock_waits_for_the_frozen_one(note_task: Task, acme: int) -> None:
    with tenant(acme):
        note_task.using(run_after=LONG_AGO + MOMENT).enqueue()
        with frozen(at=LONG_AGO):
            assert run_jobs() == 0

        assert run_jobs() == 1


def test_retries_wait_as_declared_without_jitter(declare: Callable[..., Task], acme: int) -> None:
    task = declare(fail, retry=Retry(4, base=60, factor=10))
    with tenant(acme), frozen(at=THEN):
        task.enqueue()

        assert pass_time(days=1) == 4

    at = [0, 60, 660, 6660]
    assert seen == [("fail", THEN + timedelta(seconds=each)) for each in at]
    assert_not_enqueued()


def test_a_job_expires_by_the_frozen_clock(note_task: Task, acme: int) -> None:
    with tenant(acme), frozen(at=THEN) as clock:
        note_task.using(expires_at=THEN + timedelta(minutes=1)).enqueue(what="in time")
        run_jobs()
        late = note_task.using(expires_at=THEN + timedelta(minutes=1)).enqueue(what="late")
        clock.tick(minutes=1, seconds=1)
        run_jobs()

    assert [what for what, _ in seen] == ["in time"]
    assert TaskExecutionHistory.objects.get(job_id=late.id).outcome == "expired"


def test_the_clock_goes_forward_only_and_stands_once(db: None) -> None:
    with frozen(at=THEN) as clock:
        with pytest.raises(ValueError, match="cannot go back"):
            clock.move_to(THEN - MOMENT)
        with pytest.raises(ValueError, match="time only passes"):
            clock.tick(hours=-1)
        with pytest.raises(TypeError, match="How long"):
            clock.tick()
        with pytest.raises(RuntimeError, match="stands still already"), frozen():
            pass
        assert timezone.now() == clock.now() == THEN
    with pytest.raises(ValueError, match="right is an aware datetime"):
        Clock(datetime(2026, 1, 1))
    with pytest.raises(RuntimeError, match="No clock stands still"):
        pass_time(hours=1)
    assert abs(timezone.now() - datetime.now(UTC)) < timedelta(seconds=5)


# -- schedules


def test_what_would_fire_is_what_fires(note_task: Task, acme: int, other_tenant: int) -> None:
    with frozen(at=THEN):
        with tenant(other_tenant):
            schedules.create("theirs", "note", cron="0 */6 * * *", args={"what": "theirs"})
        with tenant(acme):
            schedules.create("ours", "note", cron="30 */8 * * *", args={"what": "ours"})
            due = would_fire(THEN, THEN + timedelta(days=1))
        assert {each.name for each in due} == {"ours"}
        both = would_fire(THEN, THEN + timedelta(days=1))
        assert not ScheduledTaskExecution.objects.exists()

        assert pass_time(days=1) == len(both) == 7

    assert seen == [(each.name, each.at) for each in both]


def test_run_due_fires_once_for_ticks_that_nobody_looked_at(note_task: Task, acme: int) -> None:
    with tenant(acme), frozen(at=THEN) as clock:
        schedules.create("hourly", "note", cron="0 * * * *")
        assert run_due() == []

        assert len(run_due(THEN + timedelta(hours=5))) == 1
        assert clock.now() == THEN + timedelta(hours=5)

    assert len(seen) == 1
    fates = ScheduledTaskExecution.objects.order_by("tick_at").values_list("outcome", "reason")
    assert list(fates) == [("skipped", "missed")] * 4 + [("fired", "")]


def test_run_due_takes_an_instant_without_a_frozen_clock_too(note_task: Task, acme: int) -> None:
    with tenant(acme):
        schedules.create("hourly", "note", cron="0 * * * *", tick_argument="tick")
        assert run_due() == []

        assert len(run_due(timezone.now() + timedelta(hours=1))) == 1

    assert len(seen) == 1


def test_a_schedule_that_is_not_there_is_named_with_those_that_are(note_task: Task, acme: int) -> None:
    with tenant(acme):
        schedules.create("hourly", "note", cron="0 * * * *")

        with pytest.raises(AssertionError, match="No schedule is called 'daily'; there are: hourly"):
            would_fire(THEN, THEN, "daily")


# -- workflows


def three_steps(task: Task) -> Workflow:
    flow = Workflow("three steps")
    first = flow.step(task, name="first", what="first")
    asked = flow.signal("asked", after={first: SUCCESS}, timeout=timedelta(days=1))
    flow.step(task, name="last", after={asked: SUCCESS}, wait=timedelta(hours=3), what="last")
    return flow


def test_a_run_goes_step_by_step(note_task: Task, acme: int) -> None:
    with tenant(acme):
        note_task.enqueue(what="somebody else's")
        run = drive(three_steps(note_task))

        assert (run.step(), run.step()) == ("first", None)
        assert run.statuses() == {"first": "succeeded", "asked": "todo", "last": "blocked"}
        assert run.result("first") == "first"
        assert run.waits_for() == ["asked"]

    assert [what for what, _ in seen] == ["somebody else's", "first"]


def test_an_item_of_a_fan_out_is_named_with_its_index(note_task: Task, acme: int) -> None:
    with tenant(acme):
        flow = Workflow("many")
        flow.fan_out(note_task, ["a", "b"], item="what", name="each")
        run = drive(flow)

        assert [run.step(), run.step(), run.step()] == ["each[0]", "each[1]", None]
        assert run.status == "succeeded"


def test_waits_of_a_run_pass_on_the_frozen_clock(note_task: Task, acme: int) -> None:
    with tenant(acme), frozen(at=THEN) as clock:
        run = drive(three_steps(note_task))
        assert run.to_end() == "running"
        clock.tick(hours=5)

        assert run.signal("asked") == "running"
        assert run.to_end() == "succeeded"

    assert seen == [("first", THEN), ("last", THEN + timedelta(hours=8))]


def test_a_signal_that_nobody_sends_times_out(note_task: Task, acme: int) -> None:
    with tenant(acme), frozen(at=THEN) as clock:
        run = drive(three_steps(note_task))
        run.to_end()

        assert run.pass_timer() == "failed"
        assert clock.now() == THEN + timedelta(days=1)
        assert run.statuses()["last"] == "skipped"
        with pytest.raises(AssertionError, match="Nothing waits for a time; the run is failed"):
            run.pass_timer()


def test_a_deadline_passes_on_the_frozen_clock(note_task: Task, acme: int) -> None:
    with tenant(acme), frozen(at=THEN):
        flow = Workflow("late", deadline=timedelta(hours=1))
        flow.step(note_task, wait=timedelta(hours=2))
        run = drive(flow)
        pass_time(minutes=59)
        assert run.status == "running"

        pass_time(minutes=1)
        assert (run.status, run.run.row.is_overdue) == ("failed", True)
    assert seen == []


def test_a_signal_that_the_application_sends_is_carried_on_without_a_commit(note_task: Task, acme: int) -> None:
    with tenant(acme):
        run = drive(three_steps(note_task))
        run.to_end()
        run.run.signal("asked")
        assert run.statuses()["asked"] == "todo"

        run_jobs()
        assert run.statuses()["asked"] == "succeeded"
