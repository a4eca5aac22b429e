"""What `get_result` and Django's own tasks show of a job, live or ended, to whom it belongs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from tests.integration.desk import Desk, job
from youtility_tasks import Task, enqueue_many, history, registry, tasks_api, tenant
from youtility_tasks.testing import assert_enqueued, enqueued, run_jobs

pytestmark = pytest.mark.django_db

Status = tasks_api.TaskResultStatus


# -- the life of a job


def test_a_waiting_job_is_ready(add_task: Task, acme: int) -> None:
    with tenant(acme):
        put = add_task.enqueue(number=4)
        result = add_task.get_result(put.id)

    assert (result.id, result.status, result.kwargs, result.args) == (put.id, Status.READY, {"number": 4}, [])
    assert (result.started_at, result.finished_at, result.errors, result.worker_ids) == (None, None, [], [])
    assert result.enqueued_at == put.enqueued_at
    assert not result.is_finished
    with pytest.raises(ValueError, match="not finished"):
        _ = result.return_value


def test_a_running_job_is_running(desk: Desk, add_task: Task, acme: int) -> None:
    with tenant(acme):
        put = add_task.enqueue()
        desk.take()
        result = add_task.get_result(put.id)

    assert result.status == Status.RUNNING
    assert result.started_at == result.last_attempted_at == job(put.id).claimed_at


def test_a_job_that_succeeded_has_left_the_queue_and_keeps_its_result(desk: Desk, add_task: Task, acme: int) -> None:
    with tenant(acme):
        put = add_task.enqueue(number=4)
        desk.finish(desk.take(), "succeeded", result={"n": [5]})
        result = add_task.get_result(put.id)

    assert (result.status, result.return_value, result.kwargs) == (Status.SUCCESSFUL, {"n": [5]}, {"number": 4})
    assert result.enqueued_at == put.enqueued_at
    assert result.started_at is not None and result.finished_at is not None
    assert result.started_at <= result.finished_at
    assert result.worker_ids == [str(desk.id)]
    assert result.is_finished


def test_a_dead_letter_shows_every_error(desk: Desk, add_task: Task, acme: int) -> None:
    with tenant(acme):
        put = add_task.enqueue(number=4)
        for number, verdict in enumerate(("retry", "retry", "failed"), 1):
            told = {"error_class": "builtins.ValueError", "error_message": str(number), "traceback": f"trace {number}"}
            desk.finish(desk.take(), verdict, **told)
        result = add_task.get_result(put.id)

    assert (result.status, result.kwargs, result.attempts) == (Status.FAILED, {"number": 4}, 3)
    assert [error.traceback for error in result.errors] == ["trace 1", "trace 2", "trace 3"]
    assert result.errors[0].exception_class is ValueError
    assert result.finished_at == job(put.id).failed_at
    with pytest.raises(ValueError, match="failed"):
        _ = result.return_value


def test_between_two_attempts_a_job_is_ready_again_and_shows_its_first_error(
    desk: Desk, add_task: Task, acme: int
) -> None:
    with tenant(acme):
        put = add_task.enqueue()
        desk.finish(desk.take(), "retry", error_class="builtins.ValueError", traceback="first")
        result = add_task.get_result(put.id)

    assert (result.status, len(result.errors), result.finished_at) == (Status.READY, 1, None)
    assert result.last_attempted_at is not None


def test_an_aborted_job_is_failed(desk: Desk, add_task: Task, acme: int) -> None:
    with tenant(acme):
        put = add_task.enqueue()
        desk.finish(desk.take(), "aborted")

        assert add_task.get_result(put.id).status == Status.FAILED


def test_a_result_can_be_refreshed(desk: Desk, add_task: Task, acme: int) -> None:
    with tenant(acme):
        result = add_task.enqueue()
        desk.finish(desk.take(), "succeeded", result=9)
        result.refresh()

    assert result.return_value == 9


# -- to whom it belongs


def test_another_tenants_result_does_not_exist_whatever_its_state(
    desk: Desk, add_task: Task, acme: int, other_tenant: int
) -> None:
    with tenant(acme):
        put = [add_task.enqueue(number=n) for n in range(4)]
    held = desk.claim(3)
    desk.finish(held[0], "succeeded")
    desk.finish(held[1], "failed")
    add_task.get_result(put[0].id)  # nobody's tenant is set: an operator sees all

    for result in put:
        with tenant(other_tenant), pytest.raises(tasks_api.TaskResultDoesNotExist):
            add_task.get_result(result.id)
        with tenant(acme):
            assert add_task.get_result(result.id).id == result.id


@pytest.mark.parametrize(
    "result_id", ["", "abc", "-1", "1.5", "9" * 40, "9" * 5_000, "0", "²", "1; DROP TABLE x", "None"]
)
def test_an_id_that_names_nothing_does_not_exist(add_task: Task, result_id: str) -> None:
    with pytest.raises(tasks_api.TaskResultDoesNotExist):
        add_task.get_result(result_id)


def test_the_result_of_another_task_is_a_mismatch(add_task: Task, sweep_task: Task) -> None:
    put = sweep_task.enqueue()

    with pytest.raises(tasks_api.TaskResultMismatch):
        add_task.get_result(put.id)


def test_a_story_tells_every_attempt_of_a_job_in_order(desk: Desk, add_task: Task, acme: int) -> None:
    with tenant(acme):
        put = add_task.enqueue(number=2)
    for verdict in ("retry", "crashed", "succeeded"):
        desk.finish(desk.take(), verdict)

    told = history.story(int(put.id))

    assert told is not None
    assert told.job is None
    assert [attempt.outcome for attempt in told.attempts] == ["retry", "crashed", "succeeded"]
    assert (told.status, told.task_name, told.args) == ("succeeded", "add", {"number": 2})
    assert history.story(int(put.id), tenant_id=999) is None
    assert history.story(10**9) is None


# -- tasks of other Django packages


def plain_function(first: int, second: int = 2, *more: int, word: str = "") -> list[Any]:
    return [first, second, list(more), word]


def declare_plain(**options: Any) -> Any:
    if tasks_api.Task.__module__.startswith("django_tasks"):
        from django_tasks import task
    else:
        from django.tasks import task
    return task(**options)(plain_function)


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A task as another package declares it, which this module is made to be."""
    declared = declare_plain(priority=50)
    monkeypatch.setattr(registry, "import_string", lambda path: {f"{__name__}.plain_function": declared}[path])
    return declared


def test_another_packages_task_runs_with_its_arguments_as_they_were_given(plain: Any, acme: int) -> None:
    with tenant(acme):
        put = plain.enqueue(1, 5, 6, 7, word="x")

    row = job(put.id)
    assert (row.task_name, row.queue_name, row.tenant_id) == (f"{__name__}.plain_function", "maintenance", acme)
    assert row.args == {"args": [1, 5, 6, 7], "kwargs": {"word": "x"}}
    assert run_jobs() == 1
    with tenant(acme):
        result = plain.get_result(put.id)
    assert (result.status, result.return_value) == (Status.SUCCESSFUL, [1, 5, [6, 7], "x"])
    assert (result.args, result.kwargs) == ([1, 5, 6, 7], {"word": "x"})


@pytest.mark.parametrize(("theirs", "ours"), [(-100, 10), (0, 5), (50, 3), (100, 1)])
def test_another_packages_priority_finds_its_place_and_the_default_is_ours(db: None, theirs: int, ours: int) -> None:
    put = declare_plain(priority=theirs).enqueue(1)

    assert 11 - job(put.id).priority == ours


def test_another_packages_options_are_kept(plain: Any) -> None:
    later = timezone.now() + dt.timedelta(hours=1)

    row = job(plain.using(queue_name="email", run_after=later).enqueue(1).id)

    assert (row.queue_name, row.scheduled_at) == ("email", later)


def test_another_packages_bad_call_is_refused_like_ours(plain: Any) -> None:
    from youtility_tasks import errors

    with pytest.raises(errors.NotJson, match=r"args\.args\[0\]"):
        plain.enqueue(object())
    with pytest.raises(errors.WrongArguments):
        plain.enqueue(1, wurd="x")
    assert enqueued() == []


# -- for our users' tests


def test_run_jobs_runs_what_is_due_and_what_that_enqueues(add_task: Task, sweep_task: Task, acme: int) -> None:
    with tenant(acme):
        results = enqueue_many(add_task, [{"number": n} for n in range(5)])
        add_task.using(run_after=timezone.now() + dt.timedelta(hours=1)).enqueue(number=99)
    assert_enqueued("add", number=99)
    with pytest.raises(AssertionError, match="No waiting job of 'add' with number=77"):
        assert_enqueued("add", number=77)

    assert run_jobs() == 5

    with tenant(acme):
        assert [add_task.get_result(result.id).return_value for result in results] == [1, 2, 3, 4, 5]
    assert [each.args for each in enqueued("add")] == [{"number": 99}]


def breaks(*, error: str) -> None:
    raise {"system": SystemExit(2), "bug": ValueError("a\0b")}[error]


@pytest.mark.parametrize("error", ["system", "bug"])
def test_run_jobs_records_a_failure_and_goes_on(declare: Callable[..., Task], error: str) -> None:
    task = declare(breaks, tenant="all")
    put = task.enqueue(error=error)

    assert run_jobs() == 1

    assert task.get_result(put.id).status == Status.FAILED
