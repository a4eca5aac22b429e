"""Retries, hooks, states and signals as Celery's guide to tasks has them."""

from __future__ import annotations

from typing import Any

import pytest

from youtility_tasks import errors
from youtility_tasks.celery_bridge import exceptions, retrying
from youtility_tasks.celery_bridge.config import conf
from youtility_tasks.conf import settings
from youtility_tasks.models import Job, TaskExecutionHistory
from youtility_tasks.testing import run_jobs

pytestmark = pytest.mark.django_db


def outcomes(result: Any) -> list[str]:
    found = TaskExecutionHistory.objects.filter(job_id=int(result.id)).order_by("finished_at", "id")
    return list(found.values_list("outcome", flat=True))


def test_a_task_that_asks_for_a_retry_is_the_same_job_later(app: Any) -> None:
    result = app.tweet.delay(2, mood="good")
    run_jobs()

    assert result.get() == [2, {"mood": "good"}]
    assert outcomes(result) == ["retry", "retry", "succeeded"]
    assert result.retries == 2
    first = TaskExecutionHistory.objects.filter(job_id=int(result.id)).earliest("id")
    assert first.error_class == "builtins.ConnectionError", "the history shows what went wrong, not that it was asked"


def test_a_retry_waits_as_long_as_it_was_asked_to(app: Any) -> None:
    result = app.gives_up.delay()
    assert app.gives_up.default_retry_delay == 180
    app.gives_up.default_retry_delay, before = 50, app.gives_up.default_retry_delay
    try:
        waits = app.refresh.delay(1)
        run_jobs()
        row = Job.objects.get(pk=int(waits.id))
        assert waits.state == "RETRY"
        wait_s = (row.scheduled_at - row.enqueued_at).total_seconds()  # type: ignore[operator]
        assert 0.5 < wait_s / settings().retry_delay_factor < 10, "the first wait of a doubling backoff is one second"
    finally:
        app.gives_up.default_retry_delay = before
    assert result.state == "FAILURE"


def test_after_its_last_retry_a_task_fails_with_its_error_or_says_that_it_had_enough(app: Any) -> None:
    with_error, without = app.tweet.delay(9), app.gives_up.delay()
    run_jobs()

    with pytest.raises(ConnectionError, match="over capacity"):
        with_error.get()
    assert outcomes(with_error) == ["retry", "retry", "failed"]
    with pytest.raises(exceptions.MaxRetriesExceededError, match="Can't retry"):
        without.get()


def test_a_retry_may_have_other_arguments(app: Any) -> None:
    result = app.counts_down.delay(2)
    run_jobs()

    assert result.get() == [2, 0, "again"]


@pytest.mark.parametrize(
    ("kind", "kept"), [("PermissionError", ["failed"]), ("KeyError", ["failed"]), ("OSError", ["retry"])]
)
def test_only_what_is_named_is_retried_by_itself(app: Any, kind: str, kept: list[str]) -> None:
    result = app.refresh.delay(9, kind)
    run_jobs()

    assert outcomes(result) == kept


def test_a_backoff_doubles_up_to_its_most_and_jitter_takes_anything_below(app: Any) -> None:
    assert [retrying.backoff_s(app.refresh, n) for n in range(5)] == [1, 2, 4, 4, 4]
    app.refresh.retry_jitter = True
    try:
        drawn = {retrying.backoff_s(app.refresh, 2) for _ in range(200)}
    finally:
        app.refresh.retry_jitter = False
    assert drawn == {0, 1, 2, 3, 4}


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ("well", ["before_start", "on_success", "after_return"]),
        ("fail", ["before_start", "on_failure", "after_return"]),
        ("expected", ["before_start", "on_failure", "after_return"]),
        ("retry", ["before_start", "on_retry", "before_start", "on_success", "after_return"]),
    ],
)
def test_a_base_with_hooks_hears_of_each_end(app: Any, what: str, expected: list[str]) -> None:
    result = app.noted.delay(what)
    run_jobs()

    hooks = [
        each
        for each in app.heard
        if each[0] in ("before_start", "on_success", "on_failure", "on_retry", "after_return")
    ]
    assert [each[0] for each in hooks] == expected
    assert all(result.id in each for each in hooks)
    if what == "fail":
        assert ("on_failure", "ValueError('no good')", result.id, True) in hooks
        assert hooks[-1] == ("after_return", "FAILURE", result.id)


def test_a_base_may_do_something_around_each_body(app: Any) -> None:
    result = app.surrounded.delay()
    run_jobs()

    assert result.get() == [1, False, [0, True, None, "surface"], "surface"]
    assert [each[1] for each in app.heard if each[0] == "around"] == [False, False, False]
    assert app.surrounded(True) == [0, True, None, "surface"]


def test_a_hook_that_fails_does_not_undo_what_was_done(app: Any, monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    def broken(self: Any, *args: Any) -> None:
        raise RuntimeError("in the hook")

    monkeypatch.setattr(app.Noting, "on_success", broken)
    result = app.noted.delay("well")
    run_jobs()

    assert result.get() == "well"
    assert "a hook of the task failed" in caplog.text


def test_signals_are_sent_around_each_attempt(app: Any) -> None:
    result = app.noted.delay("retry")
    run_jobs()
    heard = [each for each in app.heard if each[0] in ("prerun", "postrun", "success", "retry", "failure")]
    name = app.noted.name

    assert heard == [
        ("prerun", name, result.id),
        ("retry", name, result.id),
        ("postrun", name, "RETRY"),
        ("prerun", name, result.id),
        ("success", name, "retry"),
        ("postrun", name, "SUCCESS"),
    ]
    app.heard.clear()
    app.fails.delay()
    run_jobs()
    assert ("failure", app.fails.name, "ZeroDivisionError('unluckily')") in app.heard


@pytest.mark.parametrize(
    ("how", "state", "attempts"),
    [
        ("ignore", "IGNORED", ["aborted"]),
        ("own state", "GONE", ["aborted"]),
        ("reject", "FAILURE", ["bad_input"]),
        ("keep", "SUCCESS", ["succeeded"]),
    ],
)
def test_a_task_may_end_its_job_without_an_outcome(app: Any, how: str, state: str, attempts: list[str]) -> None:
    result = app.drops.delay(how)
    run_jobs()

    assert (result.state, outcomes(result)) == (state, attempts)
    assert result.ready() or state == "GONE"
    assert isinstance(result.get(propagate=False), errors.NoResult | str)


def test_a_job_that_was_rejected_to_be_run_again_comes_again(app: Any) -> None:
    result = app.drops.delay("requeue")
    run_jobs()
    Job.objects.filter(pk=int(result.id)).update(scheduled_at=None)
    run_jobs()

    assert (result.get(), outcomes(result)) == ("kept", ["retry", "succeeded"])


def test_a_state_of_its_own_is_seen_while_the_job_waits_for_another_attempt(app: Any, declare: Any) -> None:
    from youtility_tasks.celery_bridge import shared_task

    def says(self: Any) -> None:
        self.update_state(state="PROGRESS", meta={"current": 4, "total": 9})
        raise self.retry(countdown=600)

    said = shared_task(bind=True, name="surface.says")(says)
    result = said.delay()
    run_jobs()

    assert (result.state, result.info) == ("PROGRESS", {"current": 4, "total": 9})
    with pytest.raises(errors.NotOfCelery, match="called_directly"):
        said.update_state(state="PROGRESS")


# -- at once


def test_apply_runs_a_task_with_its_retries_here_and_now(app: Any) -> None:
    result = app.tweet.apply((2,))
    failed = app.tweet.apply((9,))

    assert (result.get(), result.state, result.successful()) == ([2, {}], "SUCCESS", True)
    assert (failed.state, isinstance(failed.result, ConnectionError)) == ("FAILURE", True)
    with pytest.raises(ConnectionError):
        failed.get()
    with pytest.raises(ConnectionError):
        app.tweet.apply((9,), throw=True)
    assert app.about_me.apply((1,)).get()["is_eager"] is True
    assert not Job.objects.exists()


def test_an_eager_error_is_raised_at_the_call_if_that_is_asked_for(app: Any, eager: None) -> None:
    assert app.fails.delay().failed()
    conf.update(task_eager_propagates=True)
    try:
        with pytest.raises(ZeroDivisionError):
            app.fails.delay()
    finally:
        conf.update(task_eager_propagates=False)


def test_with_always_eager_every_call_runs_at_once(app: Any, eager: None) -> None:
    result = app.add.delay(2, 2)
    linked = app.said.apply_async((1,), link=app.said.s("linked"))
    ignored = app.drops.delay("ignore")

    assert (result.get(), result.id != "", linked.successful(), ignored.state) == (4, True, True, "IGNORED")
    assert ("said", [1, {}], "linked") in app.heard
    assert app.order(1, 2).delay().get() == 60
    assert app.fails.apply_async(link_error=app.told.s()).failed()
    assert [each[0] for each in app.heard].count("told") == 1
    assert not Job.objects.exists()
