"""What Django promises of a task, kept for a package that has never heard of us; README.md, "Other packages' tasks"."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import datetime as dt
import json
import pickle
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.core import checks
from django.db import transaction
from django.http import JsonResponse
from django.test import AsyncClient, override_settings
from django.urls import path
from django.utils import timezone

from tests.acceptance.app import mutants, plain
from tests.integration.desk import Desk, job, statuses
from youtility_tasks import Task, backends, foreign, queues, tasks_api, tenant
from youtility_tasks.errors import SoftTimeLimit
from youtility_tasks.models import Job
from youtility_tasks.testing import run_jobs
from youtility_tasks.workers import run, telling

pytestmark = pytest.mark.django_db

OURS = "youtility_tasks.backends.ProcrastinateBackend"
Status = tasks_api.TaskResultStatus


def backend(**settings: Any) -> dict[str, Any]:
    return {"BACKEND": OURS, **settings}


TWO = {
    "default": backend(QUEUES=["default", "email"]),
    "late": backend(
        QUEUES=["default", "search"], OPTIONS={"queues": {"default": "reports", "search": "high_priority"}}
    ),
}


# -- which queues


@override_settings(TASKS=TWO)
def test_two_aliases_have_their_own_queues_and_send_them_where_they_say() -> None:
    late = plain.joins.using(backend="late")
    put = [task.enqueue("a") for task in (plain.joins, plain.joins.using(queue_name="email"), late)]
    put.append(late.using(queue_name="search").enqueue("a"))

    assert [job(each.id).queue_name for each in put] == ["maintenance", "email", "reports", "high_priority"]
    for refused in (plain.joins.using, late.using):
        with pytest.raises(tasks_api.InvalidTask, match="not valid for backend"):
            refused(queue_name="search" if refused == plain.joins.using else "email")


@override_settings(TASKS=TWO)
def test_a_result_knows_the_alias_that_enqueued_it_until_and_after_its_end() -> None:
    direct = tasks_api.task_backends["late"].enqueue(plain.joins, ["a"], {})

    for _ in range(2):
        found = tasks_api.task_backends["default"].get_result(direct.id)
        assert (direct.backend, found.backend, found.task) == ("late", "late", plain.joins.using(backend="late"))
        run_jobs()
    assert found.status == Status.SUCCESSFUL and not Job.objects.exists()


def test_a_queue_that_the_settings_no_longer_allow_is_refused_at_enqueue_too() -> None:
    called = plain.joins.using(queue_name="email")

    with override_settings(TASKS={"default": backend(QUEUES=["default"])}):
        with pytest.raises(tasks_api.InvalidTask, match="'email' is not valid"):
            called.enqueue("a")
        with pytest.raises(tasks_api.InvalidTask, match="'email' is not valid"):
            async_to_sync(called.aenqueue)("a")
    assert statuses() == {}


@pytest.mark.parametrize(("given", "refused"), [({}, True), ({"QUEUES": []}, False)])
def test_without_queues_in_the_settings_others_may_name_the_default_and_ours(given: Any, refused: bool) -> None:
    with override_settings(TASKS={"default": backend(**given)}):
        assert job(plain.joins.using(queue_name="reports").enqueue("a").id).queue_name == "reports"
        if refused:
            with pytest.raises(tasks_api.InvalidTask):
                plain.joins.using(queue_name="search")
        else:
            assert job(plain.joins.using(queue_name="search").enqueue("a").id).queue_name == "maintenance"


@override_settings(TASKS={"default": backend(QUEUES=["default"])})
def test_our_own_tasks_are_held_to_the_queues_that_are_served_and_to_no_other_list(add_task: Task) -> None:
    assert add_task.using(queue_name=queues.EMAIL).queue_name == "email"


CHECKED: list[tuple[dict[str, Any], list[tuple[str, str]]]] = [
    ({}, []),
    ({"QUEUES": []}, []),
    (TWO["late"], []),
    ({"OPTIONS": {"queue": {}}}, [("E005", "has 'queue', which is none")]),
    ({"OPTIONS": {"queues": ["email"]}}, [("E005", r"is \['email'\]; right is a dict")]),
    ({"OPTIONS": 5}, [("E005", "'OPTIONS'] is 5; right is a dict")]),
    ({"QUEUES": "default"}, [("E005", "'QUEUES'] is 'default'; right is a list")]),
    ({"QUEUES": ["default", 5]}, [("E005", "right is a list of names")]),
    ({"OPTIONS": {"queues": {"default": "emial"}}}, [("E006", "sends 'default' to 'emial'")]),
]


@pytest.mark.parametrize(("settings", "found"), CHECKED)
def test_the_check_framework_says_what_is_wrong_with_an_alias(settings: Any, found: list[tuple[str, str]]) -> None:
    with override_settings(TASKS={"default": backend(**settings)}):
        messages = list(tasks_api.task_backends["default"].check())
        seen = [each.id for each in checks.run_checks() if each.id in ("youtility_tasks.E005", "youtility_tasks.E006")]

    assert [each.id for each in messages] == [f"youtility_tasks.{number}" for number, _ in found]
    for message, (_, words) in zip(messages, found, strict=True):
        assert message.hint
        assert re.search(words, message.msg)
    assert seen == [each.id for each in messages]


@override_settings(YOUTILITY_TASKS={"queues": {"only": {"processes": 1}}, "allow_unsafe_database": True})
def test_where_nobody_serves_maintenance_the_check_asks_which_queue_is_meant() -> None:
    with override_settings(TASKS={"default": backend()}):
        (message,) = tasks_api.task_backends["default"].check()
    with override_settings(TASKS={"default": backend(OPTIONS={"queues": {"default": "only"}})}):
        assert list(tasks_api.task_backends["default"].check()) == []

    assert (message.id, message.hint) == (
        "youtility_tasks.E006",
        "Say in OPTIONS['queues'] which it is: {'default': 'only'}.",
    )


# -- results


def test_a_result_is_of_the_task_that_was_called_and_the_one_that_is_read_back_is_equal() -> None:
    called = plain.joins.using(priority=-37, run_after=timezone.now() - dt.timedelta(hours=1), queue_name="email")
    put = called.enqueue(("a", "b"), end=b"!")

    assert (put.task, put.args, put.kwargs, put.id) == (called, [["a", "b"]], {"end": "!"}, str(int(put.id)))
    assert plain.joins.get_result(put.id) == put
    assert async_to_sync(plain.joins.aget_result)(put.id) == put
    assert (job(put.id).priority, job(put.id).queue_name) == (11 - 7, "email")


def test_a_running_job_counts_its_attempt_and_its_worker(desk: Desk) -> None:
    put = plain.joins.enqueue("a")
    desk.take()

    put.refresh()

    assert (put.status, put.attempts, put.worker_ids) == (Status.RUNNING, 1, [str(desk.id)])
    assert put.started_at is not None and not put.is_finished


def test_a_result_is_refreshed_and_awaited(desk: Desk) -> None:
    put = plain.pairs.enqueue()
    run_jobs()

    async_to_sync(put.arefresh)()

    assert (put.status, put.return_value, put.attempts) == (Status.SUCCESSFUL, {"pair": [1, "two"]}, 1)


def test_a_task_that_returns_no_json_has_failed() -> None:
    put = plain.returns_what_is_no_json.enqueue()

    run_jobs()

    put.refresh()
    (error,) = put.errors
    assert (put.status, error.exception_class) == (Status.FAILED, TypeError)
    assert "Unsupported type" in error.traceback
    with pytest.raises(ValueError, match="failed"):
        _ = put.return_value


def test_the_result_of_another_task_is_a_mismatch_also_when_awaited() -> None:
    put = plain.pairs.enqueue()

    with pytest.raises(tasks_api.TaskResultMismatch):
        async_to_sync(plain.joins.aget_result)(put.id)
    with pytest.raises(tasks_api.TaskResultDoesNotExist):
        async_to_sync(plain.joins.aget_result)("0")


def test_a_result_can_be_pickled_where_djangos_tasks_can() -> None:
    put = plain.joins.enqueue("a")
    run_jobs()
    put.refresh()

    if hasattr(tasks_api.Task, "_reconstruct"):  # since Django 6.1
        assert pickle.loads(pickle.dumps(put)) == put  # noqa: S301
    else:
        with pytest.raises(pickle.PicklingError):
            pickle.dumps(put)


# -- a transaction, a loop


def test_a_job_that_is_awaited_is_in_the_transaction_around_it() -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        put = async_to_sync(plain.joins.aenqueue)("a")
        assert statuses() == {int(put.id): "todo"}
        _ = 1 / 0

    assert statuses() == {}


async def enqueues(request: Any) -> JsonResponse:
    """A view that enqueues side by side and looks at each result."""
    put = await asyncio.gather(*(plain.joins_async.aenqueue("a", str(n)) for n in range(5)))
    seen = [await plain.joins_async.aget_result(each.id) for each in put]
    return JsonResponse({"ids": [each.id for each in seen], "same": seen == put})


urlpatterns = [path("enqueues/", enqueues)]


@override_settings(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["testserver"])
def test_an_async_view_enqueues_and_reads_results() -> None:
    answer = async_to_sync(AsyncClient().get)("/enqueues/")

    told = json.loads(answer.content)
    assert told["same"]
    assert sorted(told["ids"]) == sorted(map(str, statuses()))


# -- what a task is told, and who listens


@pytest.fixture
def heard() -> Iterator[list[tuple[Any, str, Any]]]:
    """(sender, signal, result) of each signal, in order."""
    found: list[tuple[Any, str, Any]] = []
    listeners = []
    for name in ("task_enqueued", "task_started", "task_finished"):

        def listen(sender: Any, task_result: Any, name: str = name, **_: Any) -> None:
            found.append((sender, name, copy.copy(task_result)))  # `refresh` changes it

        getattr(tasks_api, name).connect(listen)
        listeners.append((name, listen))
    yield found
    for name, listen in listeners:
        getattr(tasks_api, name).disconnect(listen)


@pytest.mark.parametrize("task", [plain.tells, plain.tells_async], ids=["sync", "async"])
def test_the_context_and_each_signal_tell_all_that_is_known(task: Any, heard: list[tuple[Any, str, Any]]) -> None:
    put = task.using(priority=7).enqueue("w")
    run_jobs()

    put.refresh()
    assert put.return_value == [1, put.id, "RUNNING", True, 1, 7, "default", "w"]
    assert [(sender, name) for sender, name, _ in heard] == [
        (backends.ProcrastinateBackend, name) for name in ("task_enqueued", "task_started", "task_finished")
    ]
    first, begun, ended = (result for _, _, result in heard)
    assert (first.status, begun.status, ended.status) == (Status.READY, Status.RUNNING, Status.SUCCESSFUL)
    assert {first.id, begun.id, ended.id} == {put.id}
    assert {each.enqueued_at for each in (first, begun, ended)} == {put.enqueued_at}
    assert (
        (begun.started_at, begun.worker_ids) == (put.started_at, put.worker_ids) == (ended.started_at, ended.worker_ids)
    )
    assert (ended.task, ended.return_value, ended.is_finished) == (task.using(priority=7), put.return_value, True)


def test_who_listens_is_told_the_error_of_what_has_failed(heard: list[tuple[Any, str, Any]]) -> None:
    put = plain.breaks.enqueue("why")
    run_jobs()

    ended = heard[-1][2]
    assert (ended.status, ended.errors[0].exception_class) == (Status.FAILED, LookupError)
    assert ended.errors[0].traceback.endswith("LookupError: why\n")
    put.refresh()
    assert [each.exception_class for each in put.errors] == [LookupError]


@pytest.mark.parametrize("task", [plain.tells, plain.tells_async, plain.breaks], ids=["sync", "async", "failing"])
def test_who_listens_may_ask_the_database_whatever_runs(task: Any) -> None:
    seen: list[Any] = []

    def counts(sender: Any, task_result: Any, **_: Any) -> None:
        seen.append((task_result.status, Job.objects.filter(pk=task_result.id).count()))

    put = task.enqueue("w")
    with listening(task_started=counts, task_finished=counts):
        run_jobs()

    put.refresh()
    assert seen == [(Status.RUNNING, 1), (put.status, 1)]


@contextlib.contextmanager
def listening(**listeners: Any) -> Iterator[None]:
    for name, listen in listeners.items():
        getattr(tasks_api, name).connect(listen)
    yield
    for name, listen in listeners.items():
        getattr(tasks_api, name).disconnect(listen)


def test_an_attempt_after_a_crash_is_the_second(desk: Desk) -> None:
    put = plain.tells.enqueue("w")
    desk.finish(desk.take(), "crashed", error_class="youtility_tasks.errors.ChildDied")

    run_jobs()

    put.refresh()
    assert put.return_value[0] == put.attempts == 2
    assert put.return_value[4] == 2


def test_our_own_tasks_signals_tell_what_they_returned_too(
    add_task: Task, acme: int, heard: list[tuple[Any, str, Any]]
) -> None:
    with tenant(acme):
        add_task.enqueue(number=4)
    run_jobs()

    begun, ended = heard[1][2], heard[2][2]
    assert (ended.return_value, ended.kwargs) == (5, {"number": 4})
    assert begun.started_at == begun.last_attempted_at == ended.started_at <= ended.finished_at


def test_a_database_that_does_not_answer_before_the_task_begins_is_the_tasks_own_affair(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(result_id: str) -> None:
        raise tasks_api.TaskResultDoesNotExist(result_id)

    put = plain.tells.enqueue("w")
    with monkeypatch.context() as patched:
        patched.setattr(telling.history, "result", fails)
        run_jobs()

    put.refresh()
    assert put.return_value[:3] == [1, put.id, "RUNNING"]


def test_a_function_behind_a_decorator_is_called_as_it_takes_it() -> None:
    put = plain.reads.enqueue("w")
    run_jobs()

    put.refresh()
    assert put.return_value == "opened w"


def test_a_call_that_the_function_would_not_take_is_a_type_error() -> None:
    with pytest.raises(TypeError, match=r"right is .*joins\(first: str, \*more: str"):
        plain.joins.enqueue()


def a_listener_of_an_async_task_may_ask_the_database() -> None:
    test_who_listens_may_ask_the_database_whatever_runs(plain.tells_async)


def test_a_time_limit_that_passes_while_a_result_is_made_fit_is_not_lost(add_task: Task) -> None:
    attempt = run.Run(run.Assignment(1, 1, "add", {}, 1, 0, 1), add_task)

    class Slow:
        def __repr__(self) -> str:
            attempt.interrupt(SoftTimeLimit)
            return "slow"

    with pytest.raises(SoftTimeLimit):
        attempt.keep([Slow()])
    attempt.keep([1])  # a task that has seen it and returns all the same has returned
    assert attempt.stored_result == [1]


# -- guards


GUARDS: list[tuple[str, str, str, str, Callable[..., None]]] = [
    (
        "youtility_tasks.backends", "ProcrastinateBackend.enqueue", "self.validate_task(called)", "pass",
        test_a_queue_that_the_settings_no_longer_allow_is_refused_at_enqueue_too,
    ),
    (
        "youtility_tasks.backends", "ProcrastinateBackend.validate_task",
        "tasks_api.BaseTaskBackend.validate_task(self._of_ours, task)",
        "tasks_api.BaseTaskBackend.validate_task(self, task)",
        test_our_own_tasks_are_held_to_the_queues_that_are_served_and_to_no_other_list,
    ),
    (
        "youtility_tasks.workers.run", "_told_of", "if telling.has_listeners()", "if False",
        a_listener_of_an_async_task_may_ask_the_database,
    ),
    (
        "youtility_tasks.workers.run", "Run.keep", "self._reason is not None and self._reason is not before", "False",
        test_a_time_limit_that_passes_while_a_result_is_made_fit_is_not_lost,
    ),
    (
        "youtility_tasks.workers.run", "Run.keep", "if self.is_foreign:", "if False:",
        test_a_task_that_returns_no_json_has_failed,
    ),
    (
        "youtility_tasks.workers.telling", "known_of", "tasks_api.TaskResultDoesNotExist, Error", "Error",
        test_a_database_that_does_not_answer_before_the_task_begins_is_the_tasks_own_affair,
    ),
    ("youtility_tasks.enqueue", "_arguments", "foreign.takes(task, args, kwargs)", "False",
        test_a_function_behind_a_decorator_is_called_as_it_takes_it),
    ("youtility_tasks.history", "_as_result", "workers.append(job.worker_id)", "pass",
        test_a_running_job_counts_its_attempt_and_its_worker),
]  # fmt: skip


@pytest.mark.parametrize(
    ("module", "function", "guard", "instead", "notices"), GUARDS, ids=[each[1] for each in GUARDS]
)
def test_each_guard_is_noticed_when_it_is_gone(
    module: str, function: str, guard: str, instead: str, notices: Callable[..., None],
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    owner = __import__(module, fromlist=["_"])
    *inside, name = function.split(".")
    for each in inside:
        owner = getattr(owner, each)
    monkeypatch.setattr(owner, name, getattr(owner, name))  # brought back afterwards
    mutants.apply(mutants.Mutant(module, function, guard, instead))
    wants = notices.__code__.co_varnames[: notices.__code__.co_argcount]

    with pytest.raises((AssertionError, TypeError, ValueError, tasks_api.InvalidTask, pytest.fail.Exception)):
        notices(**{each: request.getfixturevalue(each) for each in wants})


def test_no_options_are_kept_of_a_call_that_has_none() -> None:
    assert foreign.CALLED_WITH not in job(plain.joins.enqueue("a").id).args
