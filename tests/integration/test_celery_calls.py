"""Call sites written for Celery: `.delay`, `.apply_async`, and what they look at afterwards."""

from __future__ import annotations

import datetime as dt
import math
import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connections, transaction
from django.utils import timezone

from tests.integration.desk import Desk, job, rows
from tests.integration.mutants import must_catch
from youtility_tasks import AsyncResult, BadInput, Task, acts, enqueue_many, errors, history, queues, running, tenant
from youtility_tasks.celery_bridge import absent, options, results
from youtility_tasks.models import Job
from youtility_tasks.tenants import no_tenant
from youtility_tasks.testing import run_jobs

pytestmark = pytest.mark.django_db

NOW = timezone.now


def ordered(*, first: int, second: str = "b", third: Any = None) -> Any:
    if first < 0:
        raise BadInput("below zero")
    return [first, second, third]


@pytest.fixture
def ordered_task(declare: Callable[..., Task]) -> Task:
    """A task of three keyword-only parameters."""
    return declare(ordered, tenant="all")


def nothing_was_written() -> bool:
    return not Job.objects.exists()


# -- the call


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [((4, "x", [1]), {}), ((4, "x"), {"third": [1]}), ((), {"third": [1], "first": 4, "second": "x"})],
)
def test_delay_stores_the_same_arguments_as_the_call_by_name(
    ordered_task: Task, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    by_name = ordered_task.enqueue(first=4, second="x", third=[1])

    called = ordered_task.delay(*args, **kwargs)
    applied = ordered_task.apply_async(args, kwargs)
    as_list = ordered_task.apply_async(args=list(args), kwargs=kwargs)

    assert job(called.id).args == job(applied.id).args == job(as_list.id).args == job(by_name.id).args
    assert job(called.id).args == {"first": 4, "second": "x", "third": [1]}


def test_delay_belongs_to_the_callers_transaction_and_tenant(add_task: Task, acme: int) -> None:
    with tenant(acme):
        result = add_task.delay(4)

    row = job(result.id)
    assert (row.tenant_id, row.priority, row.queue_name, row.scheduled_at, row.expires_at) == (
        acme,
        add_task.stored_priority,
        add_task.queue_name,
        None,
        None,
    )
    with pytest.raises(errors.NoTenant), no_tenant():
        add_task.delay(4)


BAD_CALLS: list[tuple[Any, Any, dict[str, Any], type[Exception], str]] = [
    ((1, "b", 3, 4), None, {}, errors.WrongArguments, "given 4 positional.*at most 3.*first, second, third"),
    ((1,), {"first": 2}, {}, errors.WrongArguments, "'first' given by position and by name"),
    ((), {}, {}, errors.WrongArguments, "missing a required (keyword-only )?argument: 'first'"),
    ((1,), {"forth": 2}, {}, errors.WrongArguments, "'forth'"),
    ("abc", None, {}, errors.WrongArguments, "args is 'abc'; right is a list"),
    ({"first": 1}, None, {}, errors.WrongArguments, "right is a list"),
    ((1,), [("second", "x")], {}, errors.WrongArguments, "kwargs is .*right is a mapping"),
    ((math.nan,), None, {}, errors.NotJson, "args.first is nan"),
    ((1, "\ud800"), None, {}, errors.NotJson, "surrogate"),
    ((object(),), None, {}, errors.NotJson, "Pass ids"),
    ((1,), None, {"countdown": "3"}, errors.WrongOption, "countdown is '3'; right are seconds from now"),
    ((1,), None, {"countdown": True}, errors.WrongOption, "countdown is True"),
    ((1,), None, {"countdown": math.nan}, errors.WrongOption, "countdown is nan"),
    ((1,), None, {"countdown": 1e300}, errors.WrongOption, "year 9998"),
    ((1,), None, {"countdown": 1, "eta": NOW()}, errors.WrongOption, "one of the two"),
    ((1,), None, {"eta": dt.datetime(2030, 1, 1)}, errors.NaiveDatetime, "run_after"),
    ((1,), None, {"eta": "2030-01-01"}, errors.WrongOption, "right is an aware datetime"),
    ((1,), None, {"expires": dt.datetime(2030, 1, 1)}, errors.NaiveDatetime, "expires_at"),
    ((1,), None, {"expires": "tomorrow"}, errors.WrongOption, "expires is 'tomorrow'.*an aware datetime"),
    ((1,), None, {"expires": math.inf}, errors.WrongOption, "expires is inf"),
    ((1,), None, {"expires": dt.datetime(9999, 12, 31, tzinfo=dt.UTC)}, errors.WrongOption, "2 to 9998"),
    ((1,), None, {"queue": "celery"}, errors.UnknownQueue, "'celery'; known: email"),
    ((1,), None, {"priority": 0}, errors.WrongOption, "most urgent"),
    ((1,), None, {"priority": 11}, errors.WrongOption, "most urgent"),
    ((1,), None, {"link": [object()]}, errors.NotOfCelery, "a signature"),
    ((1,), None, {"link_error": object()}, errors.NotOfCelery, "a signature"),
    ((1,), None, {"task_id": "17"}, errors.WrongOption, "not digits alone"),
    ((1,), None, {"time_limit": 3}, errors.NotOfCelery, "timeout_s"),
    ((1,), None, {"ignore_result": True}, errors.NotOfCelery, "kept with its history"),
    ((1,), None, {"headers": {"a": 1}}, errors.NotOfCelery, "argument of the task"),
    ((1,), None, {"cuntdown": 3}, errors.NotOfCelery, "Did you mean 'countdown'"),
]


@pytest.mark.parametrize(("args", "kwargs", "said", "error", "words"), BAD_CALLS)
def test_a_bad_call_is_a_typed_error_and_writes_nothing(
    ordered_task: Task, args: Any, kwargs: Any, said: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words) as caught:
        ordered_task.apply_async(args, kwargs, **said)

    assert isinstance(caught.value, errors.EnqueueError)
    assert nothing_was_written()


@pytest.mark.parametrize("name", sorted(absent.OPTIONS))
def test_no_option_of_celerys_is_ignored(ordered_task: Task, name: str) -> None:
    with pytest.raises(errors.NotOfCelery, match=f"no '{name}' here; instead, "):
        ordered_task.apply_async((1,), **{name: object()})

    assert nothing_was_written()
    assert ordered_task.apply_async((1,), **{name: None}).state == "PENDING"


def test_the_test_above_catches_an_option_that_is_let_through(
    ordered_task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(options, "KNOWN", (*options.KNOWN, "shadow"))

    with pytest.raises(pytest.fail.Exception):
        test_no_option_of_celerys_is_ignored(ordered_task, "shadow")


def test_the_options_that_are_there_are_honoured(ordered_task: Task) -> None:
    later = dt.datetime(2100, 1, 1, tzinfo=dt.UTC)
    before = NOW()

    result = ordered_task.apply_async((1,), eta=later, expires=later, queue=queues.EMAIL, priority=2)
    soon = ordered_task.apply_async((1,), countdown=60, expires=90.5)

    row, second = job(result.id), job(soon.id)
    assert (row.scheduled_at, row.expires_at, row.queue_name, row.priority) == (later, later, queues.EMAIL, 9)
    assert second.scheduled_at is not None and second.expires_at is not None
    assert 0 <= (second.scheduled_at - before).total_seconds() - 60 < 30
    assert 30.4 < (second.expires_at - second.scheduled_at).total_seconds() < 30.6


@pytest.mark.parametrize("name", sorted(absent.OF_TASKS))
def test_a_task_says_what_to_use_instead_of_celerys_attributes(ordered_task: Task, name: str) -> None:
    with pytest.raises(errors.NotOfCelery, match=f"'ordered' has no '{name}' here; instead, "):
        getattr(ordered_task, name)
    assert not hasattr(ordered_task, name)


def test_a_misspelt_attribute_is_an_ordinary_error(ordered_task: Task) -> None:
    with pytest.raises(AttributeError, match="no attribute 'delya'") as caught:
        ordered_task.delya  # noqa: B018
    assert not isinstance(caught.value, errors.NotOfCelery)
    with pytest.raises(AttributeError, match="no attribute 'resulte'"):
        AsyncResult("1").resulte  # noqa: B018


# -- the result


def look(result: AsyncResult) -> tuple[str, Any, bool, bool, bool]:
    assert result.state == result.status
    assert repr(result.info) == repr(result.result)
    return result.state, result.result, result.ready(), result.successful(), result.failed()


def test_a_result_tells_the_life_of_a_job_in_celerys_words(desk: Desk, ordered_task: Task) -> None:
    result = ordered_task.delay(4)
    assert look(result) == ("PENDING", None, False, False, False)
    claimed = desk.take()
    assert look(result) == ("STARTED", None, False, False, False)
    desk.finish(claimed, "retry", error_class="builtins.ValueError", error_message="once", traceback="Traceback: once")
    assert look(result) == ("RETRY", None, False, False, False)
    assert result.traceback == "Traceback: once"
    desk.finish(desk.take(), "succeeded", result=[4, "b", None])
    assert look(result) == ("SUCCESS", [4, "b", None], True, True, False)
    assert result.get() == [4, "b", None]


def test_a_dead_letter_is_a_failure(ordered_task: Task) -> None:
    result = ordered_task.delay(-1)
    run_jobs()

    state, error, *answers = look(result)

    assert (state, answers) == ("FAILURE", [True, False, True])
    assert isinstance(error, errors.JobFailed)
    assert (error.error_class, error.error_message) == ("youtility_tasks.errors.BadInput", "below zero")
    with pytest.raises(errors.JobFailed, match=r"ordered\) failed: .*BadInput: below zero"):
        result.get()
    assert isinstance(result.get(propagate=False), errors.JobFailed)
    assert "below zero" in (result.traceback or "")


def test_a_revoked_job_is_off_its_queue_and_its_history_says_so(ordered_task: Task) -> None:
    result = ordered_task.delay(1)

    result.revoke()
    result.revoke()

    assert run_jobs() == 0
    state, error, *answers = look(result)
    assert (state, answers) == ("REVOKED", [True, False, False])
    assert isinstance(error, errors.JobRevoked)
    with pytest.raises(errors.JobRevoked, match=r"cancelled\. revoked"):
        result.get()


def test_a_running_job_is_ended_only_when_that_is_asked_for(desk: Desk, ordered_task: Task) -> None:
    result = ordered_task.delay(1)
    desk.take()

    result.revoke()
    assert not job(result.id).abort_requested
    result.revoke(terminate=True)
    assert job(result.id).abort_requested
    assert result.state == "STARTED"


def test_a_job_that_ended_is_not_revoked(ordered_task: Task) -> None:
    result = ordered_task.delay(1)
    run_jobs()

    result.revoke(terminate=True)

    assert result.state == "SUCCESS"


@pytest.mark.parametrize("unknown", ["0", "12345", "abc", "", "9" * 30, "-1", "1.5", "٣", "1\0"])
def test_a_job_that_nobody_knows_is_pending(db: None, unknown: str) -> None:
    result = AsyncResult(unknown)

    assert (look(result), result.traceback) == (("PENDING", None, False, False, False), None)
    for act in (result.get, result.revoke):
        with pytest.raises(errors.JobNotFound):
            act()


def test_another_tenants_job_is_one_that_nobody_knows(add_task: Task, acme: int, other_tenant: int) -> None:
    with tenant(acme):
        result = add_task.delay(1)
    with tenant(other_tenant):
        assert result.state == "PENDING"
        with pytest.raises(errors.JobNotFound):
            result.revoke()
        with pytest.raises(errors.JobNotFound):
            result.get()
    run_jobs()
    with tenant(other_tenant):
        assert (result.state, result.result) == ("PENDING", None)
    with tenant(acme):
        assert (result.state, result.result) == ("SUCCESS", 2)
    assert add_task.AsyncResult(result.id) == result
    assert str(result) == result.id == result.task_id
    assert len({result, AsyncResult(int(result.id))}) == 1


def test_waiting_in_a_transaction_or_a_task_is_refused(ordered_task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    result = ordered_task.delay(1)

    with pytest.raises(errors.WaitRefused, match="inside a transaction"):
        result.get(timeout=60)
    token = running.current.set(running.Running(1, "other"))
    try:
        with pytest.raises(errors.WaitRefused, match="A task waits"):
            result.get(timeout=60)
    finally:
        running.current.reset(token)
    monkeypatch.setattr(results, "refuse_to_wait_for_ever", lambda *_, **__: None)
    with pytest.raises(errors.ResultTimeout):
        result.get(timeout=0.01)


@pytest.mark.parametrize("timeout", [-1, math.nan, "3", True])
def test_a_wait_that_cannot_be_meant_is_refused(ordered_task: Task, timeout: Any) -> None:
    with pytest.raises(errors.WrongOption, match="timeout is"):
        ordered_task.delay(1).get(timeout=timeout)


@pytest.mark.django_db(transaction=True)
def test_get_waits_until_the_job_has_ended(ordered_task: Task) -> None:
    result = ordered_task.delay(7)
    with pytest.raises(errors.ResultTimeout, match=r"has not ended after 0.05 s: PENDING") as caught:
        result.get(timeout=0.05)
    assert isinstance(caught.value, TimeoutError)

    def work() -> None:
        run_jobs()
        connections.close_all()

    worker = threading.Timer(0.2, work)
    worker.start()
    try:
        assert result.get(timeout=30, interval=0.01) == [7, "b", None]
    finally:
        worker.join()


@pytest.mark.parametrize("name", sorted(absent.OF_RESULTS))
def test_a_result_says_what_to_use_instead_of_the_rest(name: str) -> None:
    with pytest.raises(errors.NotOfCelery, match=f"no '{name}' here; instead, "):
        getattr(AsyncResult("1"), name)


# -- jobs that expire


def test_a_job_that_nobody_began_in_time_is_not_run_and_its_history_says_so(ordered_task: Task) -> None:
    late = ordered_task.apply_async((1,), expires=-2)
    in_time = ordered_task.apply_async((2,), expires=3600)
    run_jobs()

    assert in_time.result == [2, "b", None]
    known = history.story(int(late.id))
    assert known is not None and known.job is None
    ((attempt,), status) = known.attempts, known.status
    assert (status, attempt.outcome, attempt.error_class) == ("aborted", "expired", "youtility_tasks.errors.Expired")
    assert attempt.args == {"first": 1, "second": "b", "third": None} or attempt.args == {"first": 1}
    assert "Its turn came 2." in attempt.error_message
    assert late.state == "REVOKED"
    with pytest.raises(errors.JobRevoked, match="only if it began by its `expires_at`"):
        late.get()


def test_the_claim_tells_by_the_servers_clock_how_long_a_job_is_worth_beginning(desk: Desk, ordered_task: Task) -> None:
    ordered_task.using(expires_at=NOW() + dt.timedelta(seconds=100)).enqueue(first=1)
    ordered_task.enqueue(first=2)

    first, second = desk.claim()

    assert first.expires_in_s is not None
    assert 60 < first.expires_in_s <= 100
    assert second.expires_in_s is None


@pytest.mark.parametrize("verdict", ["retry", "crashed", "failed"])
def test_a_job_that_has_begun_no_longer_expires(desk: Desk, ordered_task: Task, verdict: str) -> None:
    result = ordered_task.apply_async((1,), expires=100)
    desk.finish(desk.take(), verdict)
    if verdict == "failed":
        acts.retry(int(result.id))

    assert job(result.id).expires_at is None
    assert desk.take().expires_in_s is None


def test_the_trigger_takes_the_instant_away_and_the_pump_tells_it(ordered_task: Task) -> None:
    def begun() -> None:
        desk = Desk()
        result = ordered_task.apply_async((1,), expires=100)
        desk.finish(desk.take(), "retry")
        assert job(result.id).expires_at is None

    def late() -> None:
        result = ordered_task.apply_async((1,), expires=-1)
        run_jobs()
        assert result.state == "REVOKED"

    must_catch(begun, "youtility_tasks_has_begun_v1", "NEW.expires_at := NULL", "NEW.expires_at := OLD.expires_at")
    must_catch(
        late, "youtility_tasks_pump_v4", "extract(epoch FROM c.expires_at - clock_timestamp())::float8", "NULL::float8"
    )


def test_a_job_that_was_only_handed_back_still_expires(desk: Desk, ordered_task: Task) -> None:
    result = ordered_task.apply_async((1,), expires=-1)
    desk.finish(desk.take(), "released")

    run_jobs()

    assert result.state == "REVOKED"


def test_many_calls_expire_each_in_its_own_batch(ordered_task: Task) -> None:
    soon = ordered_task.using(expires_at=NOW() - dt.timedelta(seconds=1))

    put = enqueue_many(soon, [{"first": n} for n in range(3)])

    assert [job(each.id).expires_at is not None for each in put] == [True] * 3
    assert run_jobs() == 3
    assert {AsyncResult(each.id).state for each in put} == {"REVOKED"}


def test_a_call_that_finds_its_twin_leaves_the_twins_expiry(single_task: Task) -> None:
    first = single_task.apply_async(("k", 1), expires=50)
    second = single_task.apply_async(("k", 2), expires=5000)

    assert first.id == second.id
    assert job(first.id).expires_at < NOW() + dt.timedelta(seconds=60)


@pytest.mark.parametrize("value", ["'infinity'", "'-infinity'", "'20000-01-01'", "'0044-03-15 BC'"])
def test_an_instant_that_no_client_can_read_is_refused_by_the_table(value: str) -> None:
    statement = f"INSERT INTO procrastinate_jobs (queue_name, task_name, expires_at) VALUES ('email', 't', {value})"

    with pytest.raises(Exception, match="youtility_tasks_jobs_expires_at"), transaction.atomic():
        rows(statement + " RETURNING id")
