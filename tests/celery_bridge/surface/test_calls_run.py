"""Calls and tasks of Celery's own documentation, run as written."""

from __future__ import annotations

import datetime as dt
import decimal
import uuid
from importlib.util import find_spec
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from tests.integration.desk import job
from youtility_tasks import errors, tenant
from youtility_tasks.celery_bridge import (
    AsyncResult,
    Celery,
    current_app,
    current_task,
    schedules,
    shared_task,
    signals,
)
from youtility_tasks.celery_bridge.app import current
from youtility_tasks.models import BridgeCall, Job
from youtility_tasks.testing import run_jobs

pytestmark = pytest.mark.django_db


def test_the_first_steps_go_as_written(app: Any) -> None:
    result = app.add.delay(4, 4)
    assert (result.ready(), result.state) == (False, "PENDING")

    run_jobs()

    assert (result.ready(), result.get(timeout=1), result.state, result.successful()) == (True, 8, "SUCCESS", True)
    assert app.add(2, 2) == 4
    assert AsyncResult(result.id).result == app.add.AsyncResult(result.id).get() == 8
    assert app.add.name == "tests.celery_bridge.surface.app.tasks.add"


def test_a_failed_call_raises_the_class_that_its_task_raised(app: Any) -> None:
    result = app.fails.delay()
    run_jobs()

    with pytest.raises(ZeroDivisionError, match="unluckily") as caught:
        result.get()
    assert isinstance(caught.value, errors.JobFailed)
    assert (result.failed(), result.state) == (True, "FAILURE")
    assert isinstance(result.get(propagate=False), ZeroDivisionError)
    assert "ZeroDivisionError: unluckily" in result.traceback


def test_arguments_that_the_body_would_not_take_are_refused_at_the_call(app: Any) -> None:
    with pytest.raises(TypeError, match="y"):
        app.add.delay(1)
    with pytest.raises(TypeError, match=r"missing|unexpected"):
        app.add.apply_async((1, 2), {"z": 3})
    with pytest.raises(errors.WrongArguments, match="right are a list"):
        app.add.apply_async("ab")
    assert not Job.objects.exists()


def test_what_celerys_json_carries_arrives_as_it_was(app: Any) -> None:
    values = [
        dt.datetime(2026, 1, 2, 3, tzinfo=dt.UTC),
        dt.date(2026, 1, 2),
        decimal.Decimal("1.10"),
        uuid.uuid4(),
        b"\xff",
    ]
    said, day = app.said.delay(*values), app.tomorrow.delay(values[0])
    run_jobs()

    assert said.get() == [*values, {}]
    assert day.get() == values[0] + dt.timedelta(days=1)
    assert said.args == values
    with pytest.raises(errors.NotJson):
        app.said.delay(object())


def test_the_options_of_a_call_mean_what_they_mean_in_celery(app: Any) -> None:
    later = timezone.now() + dt.timedelta(hours=1)
    by_eta = job(app.add.apply_async((1, 2), eta=later, expires=later, queue="email", priority=0, retry=False).id)
    by_countdown = job(app.add.apply_async((1, 2), countdown=3600).id)
    naive = job(app.add.apply_async((1, 2), eta=later.replace(tzinfo=None)).id)

    assert (by_eta.scheduled_at, by_eta.expires_at, by_eta.queue_name, by_eta.priority) == (later, later, "email", 10)
    assert abs((by_countdown.scheduled_at - later).total_seconds()) < 60
    assert naive.scheduled_at == later
    assert job(app.add.delay(1, 2).id).queue_name == "maintenance"


def test_queues_of_celerys_are_named_in_the_settings(app: Any, settings: Any) -> None:
    settings.YOUTILITY_TASKS = {
        **settings.YOUTILITY_TASKS,
        "celery_queues": {"priority.high": "email", "celery": "reports"},
    }

    assert job(app.add.apply_async((1, 2), queue="priority.high").id).queue_name == "email"
    assert job(app.add.apply_async((1, 2), queue="celery").id).queue_name == "reports"
    with pytest.raises(errors.UnknownQueue, match="celery_queues"):
        app.add.apply_async((1, 2), queue="nowhere")
    settings.YOUTILITY_TASKS = {"celery_queues": {"celery": 3}}
    with pytest.raises(errors.ConfigurationError, match="celery_queues"):
        app.add.apply_async((1, 2), queue="celery")


def test_options_of_the_way_mean_nothing_here_where_they_mean_the_same(app: Any) -> None:
    result = app.add.apply_async(
        (2, 2), serializer="json", compression="zlib", retry=True, retry_policy={"max_retries": 3}, argsrepr="(...)"
    )
    run_jobs()

    assert result.get() == 4
    result.forget()
    with pytest.raises(errors.NotOfCelery, match="JSON"):
        app.add.apply_async((2, 2), serializer="pickle")


def test_an_application_has_a_base_of_its_own_for_all_its_tasks(app: Any) -> None:
    other = Celery("other", task_cls="tests.celery_bridge.surface.app.tasks:Noting")
    try:
        called = other.task(name="surface.of_other")(other_body)
        assert isinstance(called, app.Noting)
        other.Task = app.Adding
        assert isinstance(other.task(name="surface.of_other")(other_body), app.Adding)
        assert current_app.main == "other"
    finally:
        current[:] = [app.app]


def test_modules_have_celerys_names() -> None:
    from youtility_tasks.celery_bridge.result import AsyncResult as Result
    from youtility_tasks.celery_bridge.utils.log import get_task_logger

    assert Result is AsyncResult
    assert get_task_logger("surface").name == "surface"
    if find_spec("celery") is None:
        with pytest.raises(errors.ExtraMissing, match=r"youtility-tasks\[celery\]"):
            schedules.crontab  # noqa: B018
    else:
        assert schedules.crontab(minute="5").minute == {5}


def other_body() -> None:
    """Of a task."""


def test_a_call_that_is_rolled_back_was_never_made(app: Any) -> None:
    with pytest.raises(RuntimeError), transaction.atomic():
        app.add.apply_async((1, 2), task_id="made-up")
        raise RuntimeError

    assert not Job.objects.exists()
    assert not BridgeCall.objects.exists()


def test_a_call_on_commit_is_made_when_the_transaction_commits(
    app: Any, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        app.add.delay_on_commit(1, 2)
        app.add.apply_async_on_commit((3, 4), countdown=60)
        assert not Job.objects.exists()
        with pytest.raises(TypeError):
            app.add.delay_on_commit(1)

    assert sorted(each.args["args"] for each in Job.objects.all()) == [[1, 2], [3, 4]]


def test_an_id_that_the_caller_gives_finds_the_job(app: Any) -> None:
    known_as = str(uuid.uuid4())
    result = app.about_me.apply_async((1,), task_id=known_as)
    run_jobs()

    assert result.id == known_as
    assert AsyncResult(known_as).get()["id"] == known_as
    again = app.add.apply_async((1, 2), task_id=known_as)
    assert again.state == "PENDING", "the latest call is what the id means"
    with pytest.raises(errors.WrongOption, match="not digits alone"):
        app.add.apply_async((1, 2), task_id="12")


def test_an_id_means_nothing_to_another_tenant(app: Any, acme: int, other_tenant: int) -> None:
    with tenant(acme):
        app.add.apply_async((1, 2), task_id="ours")
        run_jobs()
        assert AsyncResult("ours").get() == 3
    with tenant(other_tenant):
        assert AsyncResult("ours").state == "PENDING"
        app.mul.apply_async((2, 3), task_id="ours")
        run_jobs()
        assert AsyncResult("ours").get() == 6
    with tenant(acme):
        assert AsyncResult("ours").get() == 3


def test_a_bound_task_is_told_who_it_is(app: Any) -> None:
    result = app.about_me.apply_async((1,), {"a": 2}, headers={"who": "me"})
    run_jobs()

    me = result.get()
    assert (me["id"], me["root_id"], me["parent_id"], me["retries"]) == (result.id, result.id, None, 0)
    assert (me["args"], me["kwargs"], me["task"]) == ([1], {"a": 2}, app.about_me.name)
    assert me["hostname"].startswith("maintenance@")
    assert (me["called_directly"], me["is_eager"], me["queue"], me["who"]) == (False, False, "maintenance", "me")
    direct = app.about_me.request
    assert (direct.called_directly, direct.id) == (True, None)
    assert not current_task


def test_a_call_within_a_task_knows_its_parent(app: Any) -> None:
    result = app.calls_another.delay(3)
    run_jobs()

    own_id, child_id = result.get()
    child = AsyncResult(child_id).get()
    assert (own_id, child["parent_id"], child["root_id"]) == (result.id, result.id, result.id)


def test_a_result_that_is_ignored_is_not_kept(app: Any) -> None:
    quiet, asked = app.quiet.delay(), app.add.apply_async((1, 2), ignore_result=True)
    run_jobs()

    assert (quiet.state, quiet.get(), asked.get()) == ("SUCCESS", None, None)


def test_calls_by_name_and_by_the_application(app: Any) -> None:
    sent = app.app.send_task("surface.said", args=[1], kwargs={"a": 2})
    built = app.app.signature("surface.said", args=(3,), countdown=0).delay(4)
    added = app.adding.delay(5)
    run_jobs()

    assert (sent.get(), built.get(), added.get()) == ([1, {"a": 2}], [4, 3, {}], 15)
    assert app.app.AsyncResult(sent.id).get() == [1, {"a": 2}]
    app.app.control.revoke(waiting := app.add.delay(1, 1).id)
    assert AsyncResult(waiting).state == "REVOKED"
    assert ("revoked", app.add.name, "False", "False") in [tuple(map(str, each)) for each in app.heard]
    with pytest.raises(errors.UnknownTask):
        app.app.send_task("surface.sayed")


def test_a_task_of_models_is_called_with_plain_values(app: Any) -> None:
    result = app.measured.delay({"value": 3}, note="x")
    wrong = app.measured.delay({"value": "many"})
    run_jobs()

    assert result.get() == {"value": 6}
    assert app.measured.apply(({"value": 4},)).get() == {"value": 8}
    with pytest.raises(errors.JobFailed, match="valid integer"):
        wrong.get()


def test_a_result_that_cannot_be_kept_is_said_to_be_so(app: Any) -> None:
    """What is no JSON fails as in Celery; what is too large is no result, and nothing that another task of a canvas is given."""
    no_json, much = app.gives.delay("a set"), app.gives.delay("much")
    given = (app.gives.s("much") | app.said.s()).delay()
    run_jobs()

    with pytest.raises(TypeError, match="result is a set, which is not JSON"):
        no_json.get()
    assert (much.state, no_json.state, given.state) == ("SUCCESS", "FAILURE", "FAILURE")
    with pytest.raises(errors.NoResult, match="max_result_bytes"):
        much.get()
    with pytest.raises(errors.JobFailed, match="256 KiB"):
        given.get()
    assert [each for each in app.heard if each[0] == "said"] == []


def test_a_job_that_came_too_late_is_revoked(app: Any) -> None:
    result = app.add.apply_async((1, 2), expires=-1)
    run_jobs()

    assert result.state == "REVOKED"
    assert ("revoked", app.add.name, False, True) in app.heard
    with pytest.raises(errors.JobRevoked):
        result.get()


@pytest.mark.parametrize(
    ("options", "way_out"),
    [
        ({"rate_limit": "10/m"}, "manage_task_queue limits"),
        ({"serializer": "pickle"}, "JSON"),
        ({"exchange": "media"}, "queue="),
        ({"routing_key": "media.compress"}, "queue="),
    ],
)
def test_what_cannot_be_carried_is_refused_as_the_module_is_imported(options: dict[str, Any], way_out: str) -> None:
    with pytest.raises(errors.NotOfCelery, match=way_out):

        @shared_task(name="surface.refused", **options)
        def refused() -> None: ...

    with pytest.raises(errors.NotOfCelery, match=r"youtility_tasks\.task"):

        @shared_task
        async def coroutine() -> None: ...

    with pytest.raises(errors.NotOfCelery, match="JSON"):
        Celery("x", task_serializer="pickle")
    assert current_app.main == "surface", "an application that was refused is nobody's"
    with pytest.raises(errors.NotOfCelery, match="AppConfig"):
        signals.worker_process_init.connect(test_the_first_steps_go_as_written)
    with pytest.raises(errors.UnknownQueue, match="celery_queues"):
        shared_task(name="surface.elsewhere", queue="videos")(test_the_first_steps_go_as_written)


def test_an_attribute_or_option_of_celerys_that_is_not_here_says_what_to_use(app: Any) -> None:
    with pytest.raises(errors.NotOfCelery, match="history"):
        app.add.backend  # noqa: B018
    with pytest.raises(errors.NotOfCelery, match="queue="):
        app.add.apply_async((1, 2), routing_key="x")
    with pytest.raises(errors.NotOfCelery, match="Did you mean 'countdown'"):
        app.add.apply_async((1, 2), cuntdown=1)
    with pytest.raises(errors.NotOfCelery, match="run_postgresql_worker"):
        app.app.worker_main()
    with pytest.raises(errors.NotOfCelery, match=r"0 .*to 9"):
        app.add.apply_async((1, 2), priority=10)
    assert not Job.objects.exists()
