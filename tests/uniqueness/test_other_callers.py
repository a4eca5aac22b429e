"""Ticks of schedules, Celery's call styles and other packages' tasks, where a key is held."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.integration import schedules
from tests.integration.desk import job
from tests.uniqueness.test_holding import RULES, under
from youtility_tasks import AsyncResult, Debounce, Task, Unique, enqueue_many, errors
from youtility_tasks.models import Job, ScheduledTaskExecution

pytestmark = pytest.mark.django_db


def test_a_tick_whose_key_is_held_says_whose_job_stands_for_it(ruled: Callable[..., Task]) -> None:
    task = ruled(unique=Unique(by="site_id", while_="until_done"))
    held = task.enqueue(site_id=5, reason="by hand")
    row = schedules.make(task, args={"site_id": 5}, missed="latest")

    schedules.fire(schedules.long_ago(row, minutes=6))

    assert schedules.told(row)[-1] == ("skipped", "twin")
    last = ScheduledTaskExecution.objects.order_by("tick_at").last()
    assert last is not None and f"job {held.id} stands for it" in last.detail
    assert Job.objects.count() == 1


def test_a_tick_of_a_debounced_task_is_a_call_like_any_other(ruled: Callable[..., Task]) -> None:
    task = ruled(debounce=Debounce(30, by="site_id"))
    row = schedules.make(task, args={"site_id": 5, "reason": "tick"})

    schedules.fire(schedules.long_ago(row, minutes=6))
    (made,) = schedules.jobs(task)
    later = task.enqueue(site_id=5, reason="by hand")

    assert (later.id, job(later.id).args["reason"], made.scheduled_at is None) == (str(made.pk), "by hand", False)


def test_a_debounced_tasks_schedule_has_no_jitter(ruled: Callable[..., Task]) -> None:
    task = ruled(debounce=30)

    with pytest.raises(
        errors.WrongSchedule, match=r"jitter_s is 60, and task 'report' is debounced.*right is jitter_s=0"
    ):
        schedules.make(task, jitter_s=60)
    with pytest.raises(errors.WrongCall, match=r"by names|queueing lock|one of the two|unexpected keyword"):
        schedules.make(task, args={"sight_id": 5})


def test_celerys_call_styles_give_the_job_that_holds_the_key(ruled: Callable[..., Task]) -> None:
    task = ruled(debounce=30)

    first = task.delay(site_id=5)
    again = task.apply_async((5,), priority=1)

    assert isinstance(again, AsyncResult) and again.id == first.id
    assert job(first.id).priority == 10
    for when in ({"countdown": 60}, {"eta": job(first.id).scheduled_at}):
        with pytest.raises(errors.WrongOption, match="says itself when the job runs"):
            task.apply_async((5,), **when)


@pytest.mark.parametrize("text", RULES)
def test_a_call_is_one_statement_whoever_holds_its_key(report_task: Task, text: str) -> None:
    task = under(report_task, RULES[text])
    for is_new in (True, False):
        with CaptureQueriesContext(connection) as sent:
            assert task.enqueue().is_new is is_new
        first, *of_the_result = [each["sql"] for each in sent]
        assert "youtility_tasks_enqueue_unique_v1" in first
        assert not of_the_result if is_new else [each[:6] for each in of_the_result] == ["SELECT", "SELECT"]
    with CaptureQueriesContext(connection) as sent:
        enqueue_many(task, [{"site_id": n} for n in range(2, 50)])
    assert [each["sql"].split()[0] for each in sent] == ["SAVEPOINT", "SELECT", "RELEASE"]


def test_calls_without_a_rule_are_sent_as_before(report_task: Task) -> None:
    for task in (report_task, report_task.using(unique="k"), report_task.using(unique=Unique(key=lambda args: None))):
        with CaptureQueriesContext(connection) as sent:
            task.enqueue()
        (statement,) = [each["sql"] for each in sent]
        assert "youtility_tasks_enqueue_one_v1" in statement


def test_what_a_call_gives_is_a_result_of_djangos_that_can_be_refreshed(ruled: Callable[..., Task]) -> None:
    task = ruled(unique=Unique(by="site_id"))
    first, again = task.enqueue(site_id=5), task.enqueue(site_id=5)

    again.refresh()

    assert (first.is_new, again.is_new, again.is_replaced) == (True, False, False)
    found = task.get_result(first.id)
    for name in ("id", "status", "enqueued_at", "kwargs", "args", "backend", "errors", "worker_ids"):
        assert getattr(first, name) == getattr(again, name) == getattr(found, name), name
