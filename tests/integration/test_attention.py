"""What is wrong now: each kind is told when it is there, with since when, and not when it is not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from youtility_tasks import Retry, Task, Workflow, attention, controls, metrics, roster, schedules, tenant
from youtility_tasks.attention import Kind, Trouble
from youtility_tasks.models import Job, ScheduledTask, TaskExecutionHistory, TaskWorker, TaskWorkflow
from youtility_tasks.testing import run_jobs

pytestmark = pytest.mark.django_db
ACME, OTHER = 7, 8


def add(*, number: int = 0) -> int:
    return number + 1


def fail(*, number: int = 0) -> None:
    raise ValueError(f"no {number}")


@pytest.fixture(autouse=True)
def crew() -> None:
    """Every queue has a worker, so that nothing is wrong to begin with."""
    roster.add(ACME, "Acme"), roster.add(OTHER, "Other")
    for number, name in enumerate(("email", "high_priority", "maintenance", "reports"), 9_001):
        TaskWorker.objects.create(id=number, host="h", pid=number, queue_name=name, status="running", slots=4)


@pytest.fixture
def add_task(declare: Callable[..., Task]) -> Task:
    return declare(add, name="add", queue_name="maintenance")


def told(tenant_id: int | None = None, **more: Any) -> list[Trouble]:
    return attention.troubles(metrics.queue_numbers(tenant_id=tenant_id), tenant_id=tenant_id, **more)


def kinds(tenant_id: int | None = None) -> list[str]:
    return [each.kind for each in told(tenant_id)]


def test_nothing_is_wrong_where_all_is_well(add_task: Task) -> None:
    with tenant(ACME):
        add_task.enqueue()
    assert told() == []


def test_a_queue_that_nobody_serves_is_urgent_once_something_waits_in_it(add_task: Task) -> None:
    TaskWorker.objects.filter(queue_name="maintenance").update(heartbeat_at=timezone.now() - timedelta(minutes=1))
    assert [(each.kind, each.is_urgent) for each in told()] == [(Kind.UNSERVED, False)]
    assert told(says_workers=False) == [], "whom it is no business of"
    with tenant(ACME):
        add_task.enqueue()

    (found,) = told()

    assert (found.kind, found.is_urgent, found.sentence) == (
        Kind.UNSERVED, True, "No worker serves maintenance; 1 job waits.",
    )  # fmt: skip
    assert "worker" not in told(says_workers=False)[0].sentence


def test_a_job_that_waits_for_longer_than_its_queue_promises(add_task: Task) -> None:
    with tenant(ACME):
        job_id = int(add_task.enqueue().id)
    Job.objects.filter(pk=job_id).update(enqueued_at=timezone.now() - timedelta(minutes=14))
    assert kinds() == []
    Job.objects.filter(pk=job_id).update(enqueued_at=timezone.now() - timedelta(minutes=16))

    (found,) = told()

    assert (found.kind, found.is_urgent) == (Kind.WAITING, True)
    assert "has waited for 16 min, 15 min is promised; 1 wait." in found.sentence


def test_a_schedule_that_nobody_fires_and_not_that_of_a_tenant_that_left(add_task: Task) -> None:
    for owner in (ACME, OTHER):
        with tenant(owner):
            schedules.create("nightly", "add", cron="0 2 * * *")
    ScheduledTask.objects.update(next_at=timezone.now() - timedelta(seconds=50))
    assert kinds() == []
    ScheduledTask.objects.update(next_at=timezone.now() - timedelta(minutes=2))
    assert [(each.kind, each.facts["count"]) for each in told()] == [(Kind.LATE, 2)]
    assert [(each.kind, each.facts["count"]) for each in told(ACME)] == [(Kind.LATE, 1)]
    roster.deactivate(OTHER, "left")

    assert [each.facts["count"] for each in told()] == [1]


def test_letters_of_the_last_hour_by_task_and_urgent_when_they_are_many(declare: Callable[..., Task]) -> None:
    bad = declare(fail, name="fail", queue_name="email", retry=Retry(1))
    with tenant(ACME):
        for number in range(10):
            bad.enqueue(number=number)
        run_jobs()
    assert [(each.kind, each.is_urgent, each.facts["count"], each.facts["task"]) for each in told()] == [
        (Kind.FAILING, True, 10, "fail")
    ]
    assert kinds(OTHER) == []
    Job.objects.filter(status="failed").update(failed_at=timezone.now() - timedelta(hours=2))

    assert kinds() == [], "that was the day before's news"


def test_a_run_past_its_deadline(add_task: Task) -> None:
    flow = Workflow("month", deadline=timedelta(hours=1))
    flow.step(add_task, number=1)
    with tenant(ACME):
        flow.start()
    assert kinds() == []
    TaskWorkflow.objects.update(deadline_at=timezone.now() - timedelta(minutes=1))

    assert (kinds(), kinds(OTHER)) == ([Kind.OVERDUE], [])


def test_a_pause_says_by_whom_why_and_that_it_has_no_end_until_it_has_one() -> None:
    controls.pause(task="send_ticket_email", tenant=ACME, reason="the relay is down")
    (found,) = told()
    assert (found.kind, found.is_urgent) == (Kind.PAUSED, False)
    assert found.sentence.startswith("Task send_ticket_email of tenant 7 is paused by ")
    assert found.sentence.endswith(": the relay is down.") and "no end" in found.advice
    assert kinds(OTHER) == []
    controls.pause(task="send_ticket_email", tenant=ACME, minutes=5)

    assert told()[0].advice == "It ends by itself."


def test_what_breaks_a_promise_comes_first(add_task: Task) -> None:
    controls.pause(queue="email")
    with tenant(ACME):
        schedules.create("nightly", "add", cron="0 2 * * *")
    ScheduledTask.objects.update(next_at=timezone.now() - timedelta(minutes=2))

    assert kinds() == [Kind.LATE, Kind.PAUSED]


def test_a_tenant_is_told_of_the_pause_that_keeps_its_jobs_and_not_of_others(add_task: Task) -> None:
    with tenant(ACME):
        job_id = int(add_task.enqueue().id)
    Job.objects.filter(pk=job_id).update(enqueued_at=timezone.now() - timedelta(minutes=16))
    controls.pause(queue="maintenance", reason="the disk is full")

    assert (kinds(ACME), kinds(OTHER)) == ([Kind.WAITING], [])
    assert told(ACME)[0].advice.startswith("Queue maintenance is paused by ")
    assert told(ACME)[0].advice.endswith(": the disk is full. Your operators end it.")


def test_what_waits_is_told_with_the_limit_that_is_full(add_task: Task) -> None:
    with tenant(ACME):
        waiting, running = (int(add_task.enqueue(number=number).id) for number in (1, 2))
    Job.objects.filter(pk=waiting).update(enqueued_at=timezone.now() - timedelta(minutes=16))
    controls.limit(tenant=ACME, running=1)
    assert "full" not in told()[0].facts
    Job.objects.filter(pk=running).update(status="doing")

    (found,) = told()

    assert (found.kind, found.facts["full"]["tenant"]) == (Kind.WAITING, ACME)
    assert found.advice.startswith("A limit is full: tenant 7, 1 of 1 runs.")
    assert kinds(OTHER) == []


def test_many_that_are_tried_again_are_told_with_their_error_and_urgent_once_they_are_late(
    declare: Callable[..., Task],
) -> None:
    bad = declare(fail, name="fail", queue_name="email", retry=Retry(6, base=300))
    with tenant(ACME):
        for number in range(attention.MANY - 1):
            bad.enqueue(number=number)
        run_jobs()
        assert kinds() == [], "a few are no news"
        bad.enqueue(number=99)
        run_jobs()

    (found,) = told()

    assert (found.kind, found.is_urgent, found.facts["count"]) == (Kind.RETRYING, False, attention.MANY)
    assert found.sentence == "10 jobs have failed and are tried again later: fail of tenant 7 (ValueError)."
    assert told(ACME)[0].sentence == "10 jobs have failed and are tried again later: fail (ValueError)."
    assert kinds(OTHER) == []
    Job.objects.update(enqueued_at=timezone.now() - timedelta(minutes=11))
    assert told()[0].is_urgent
    Job.objects.update(scheduled_at=timezone.now() - timedelta(seconds=1))
    assert Kind.RETRYING not in kinds(), "they are about to run"


def test_a_schedule_that_somebody_paused_without_an_end(add_task: Task) -> None:
    with tenant(ACME):
        schedules.create("nightly", "add", cron="0 2 * * *")
        schedules.pause("nightly", minutes=60, reason="a test")
        assert kinds() == [], "it ends by itself"
        schedules.resume("nightly")
        schedules.pause("nightly", reason="a test")

    (found,) = told()

    assert (found.kind, found.is_urgent) == (Kind.STOPPED, False)
    assert found.sentence.startswith("Schedule nightly is paused by ") and found.sentence.endswith(": a test.")
    assert (kinds(ACME), kinds(OTHER)) == ([Kind.STOPPED], [])


def test_a_failure_is_told_with_the_error_of_those_that_failed(declare: Callable[..., Task]) -> None:
    bad = declare(fail, name="fail", queue_name="email", retry=Retry(2, base=300))
    with tenant(ACME):
        dead = int(bad.enqueue().id)
        run_jobs()
        Job.objects.update(scheduled_at=None)
        run_jobs()
        bad.enqueue()
        run_jobs()
        history = TaskExecutionHistory.objects.exclude(job_id=dead)
        history.update(error_class="youtility_tasks.errors.ChildDied")

    (found,) = told()

    assert found.sentence == "1 job has failed for good in the last hour: fail of tenant 7 (ValueError)."


def test_a_failure_of_several_kinds_says_so(declare: Callable[..., Task]) -> None:
    bad = declare(fail, name="fail", queue_name="email", retry=Retry(1))
    with tenant(ACME):
        bad.enqueue(), bad.enqueue()
        run_jobs()
    Job.objects.filter(pk=Job.objects.order_by("pk")[0].pk).update(fingerprint="00ff00ff00ff00ff")

    assert told()[0].sentence.endswith("fail of tenant 7 (ValueError, and others).")


def test_the_limit_of_a_task_is_no_cause_in_another_queue(add_task: Task, declare: Callable[..., Task]) -> None:
    other = declare(fail, name="fail", queue_name="email")
    with tenant(ACME):
        waiting, running = int(add_task.enqueue().id), int(other.enqueue().id)
    Job.objects.filter(pk=waiting).update(enqueued_at=timezone.now() - timedelta(minutes=16))
    controls.limit(task="fail", running=1)
    Job.objects.filter(pk=running).update(status="doing")

    assert [(each.kind, "full" in each.facts) for each in told()] == [(Kind.WAITING, False)]
