"""What is enqueued runs at once: when, with which errors, and what is left for later."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from youtility_tasks import BadInput, Retry, Task, Transient, Workflow, enqueue_many, tenant
from youtility_tasks.models import TaskExecutionHistory
from youtility_tasks.testing import assert_enqueued, assert_not_enqueued, enqueued_jobs, inline

seen: list[Any] = []
tasks: dict[str, Task] = {}


@pytest.fixture(autouse=True)
def known(declare: Callable[..., Task]) -> None:
    seen.clear()
    tasks.update(note=declare(note), parent=declare(parent), fail=declare(fail, retry=Retry(2, base=60)))


def note(*, what: Any) -> None:
    seen.append(what)


def parent(*, n: int = 0) -> None:
    seen.append("begins")
    tasks["note"].enqueue(what="child")
    seen.append("ends")


def fail(*, how: str = "") -> None:
    raise BadInput(how) if how == "bad" else Transient(how)


@pytest.mark.django_db
def test_a_job_has_run_when_enqueue_returns_and_outside_of_the_block_it_waits(acme: int) -> None:
    with tenant(acme):
        with inline():
            result = tasks["note"].enqueue(what=1)
            assert seen == [1]
            result.refresh()
            assert result.status == "SUCCESSFUL"
        tasks["note"].enqueue(what=2)

    assert seen == [1]
    assert_enqueued("note", what=2)


@pytest.mark.django_db
def test_what_a_job_enqueues_runs_after_it_and_many_run_in_their_order(acme: int) -> None:
    with tenant(acme), inline():
        tasks["parent"].enqueue()
        enqueue_many(tasks["note"], [{"what": n} for n in range(3)])

    assert seen == ["begins", "ends", "child", 0, 1, 2]


@pytest.mark.django_db
def test_nothing_is_waited_for(acme: int) -> None:
    with tenant(acme), inline(raises=False):
        tasks["note"].using(run_after=timezone.now() + timedelta(hours=1)).enqueue(what="later")
        tasks["fail"].enqueue()

    assert seen == []
    assert [(job.task_name, job.attempts) for job in enqueued_jobs()] == [("note", 0), ("fail", 1)]


@pytest.mark.django_db
def test_an_error_is_recorded_and_raised_or_only_recorded(acme: int) -> None:
    with tenant(acme):
        with inline(), pytest.raises(BadInput, match="bad"):
            tasks["fail"].enqueue(how="bad")
        with inline(raises=False):
            tasks["fail"].enqueue(how="bad")

    assert [each.outcome for each in TaskExecutionHistory.objects.all()] == ["bad_input"] * 2
    assert_not_enqueued()


@pytest.mark.django_db
def test_at_once_it_is_undone_with_the_callers_transaction(acme: int) -> None:
    with tenant(acme), inline(), pytest.raises(ZeroDivisionError), transaction.atomic():
        tasks["note"].enqueue(what="seen before the end")
        raise ZeroDivisionError

    assert seen == ["seen before the end"]
    assert not TaskExecutionHistory.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_on_commit_it_runs_as_the_callers_transaction_commits_and_not_if_it_does_not(acme: int) -> None:
    with tenant(acme), inline(on_commit=True):
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            tasks["note"].enqueue(what="never")
            raise ZeroDivisionError
        with transaction.atomic():
            tasks["note"].enqueue(what="committed")
            assert seen == []

    assert seen == ["committed"]


@pytest.mark.django_db
def test_a_workflow_goes_on_as_it_is_started_and_as_it_gets_its_signal(acme: int) -> None:
    flow = Workflow("two steps")
    first = flow.step(tasks["note"], name="first", what="first")
    flow.step(tasks["note"], name="last", after=flow.signal("go on", after=first), what="last")
    with tenant(acme), inline():
        run = flow.start()
        assert seen == ["first"]

        run.signal("go on")
        assert (seen, run.status) == (["first", "last"], "succeeded")

        run.retry("all")
        assert seen == ["first", "last", "first"]
    with tenant(acme):
        flow.start()
    assert seen == ["first", "last", "first"]


@pytest.mark.django_db
def test_it_decorates_a_function(acme: int) -> None:
    @inline()
    def go() -> None:
        with tenant(acme):
            tasks["note"].enqueue(what="decorated")

    go()
    assert seen == ["decorated"]


@pytest.mark.django_db(transaction=True)
def test_an_async_enqueue_runs_a_job_too(acme: int) -> None:
    async def go() -> None:
        await tasks["note"].aenqueue(what="async")

    with tenant(acme), inline():
        asyncio.run(go())

    assert seen == ["async"]
