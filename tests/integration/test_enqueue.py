"""A call becomes one row in the caller's own transaction, or nothing at all."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any

import psycopg
import pytest
from asgiref.sync import async_to_sync
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.integration.desk import Desk, execute, job, statuses
from tests.integration.mutants import Undone, definition, must_catch, undone
from youtility_tasks import NotYetBuilt, Task, current_tenant, enqueue_many, errors, queues, registry, tasks_api, tenant
from youtility_tasks.models import Job, Tenant
from youtility_tasks.queries import conninfo
from youtility_tasks.tenants import no_tenant, tenants_in_scope

pytestmark = pytest.mark.django_db

MAX = 256 * 1024


def nothing_was_written() -> bool:
    return not Job.objects.exists()


# -- the row


def test_a_call_becomes_the_row_that_its_task_declares(add_task: Task, acme: int) -> None:
    later = timezone.now() + dt.timedelta(hours=1)
    task = add_task.using(queue_name=queues.EMAIL, priority=2, run_after=later, lock="l", queueing_lock="q", unique="u")

    with tenant(acme):
        result = task.enqueue(number=4)

    row = job(result.id)
    assert (row.task_name, row.queue_name, row.priority, row.args) == ("add", "email", 9, {"number": 4})
    assert (row.tenant_id, row.lock, row.queueing_lock, row.unique_key) == (acme, "7:l", "7:q", "u")
    assert (row.status, row.attempts, row.scheduled_at, row.claim_number) == ("todo", 0, later, 0)
    assert (result.status, result.enqueued_at, result.kwargs, result.args) == (
        tasks_api.TaskResultStatus.READY,
        row.enqueued_at,
        {"number": 4},
        [],
    )


def test_arguments_by_position_are_stored_by_name(sweep_task: Task, declare: Callable[..., Task]) -> None:
    task = declare(by_position, tenant="all")

    assert job(task.enqueue(1, 2).id).args == {"first": 1, "second": 2}
    assert job(task.enqueue(1, second=2, third=3).id).args == {"first": 1, "second": 2, "third": 3}


def by_position(first: int, second: int, **more: int) -> None:
    return None


def test_aenqueue_is_enqueue(sweep_task: Task) -> None:
    result = async_to_sync(sweep_task.aenqueue)(number=3)

    assert job(result.id).args == {"number": 3}


# -- the caller's transaction


def test_a_transaction_that_rolls_back_leaves_no_job(add_task: Task, acme: int) -> None:
    with undone(), tenant(acme):
        add_task.enqueue()
        enqueue_many(add_task, [{"number": n} for n in range(3)])
        assert Job.objects.count() == 4

    assert nothing_was_written()


def test_a_refused_call_leaves_the_callers_transaction_usable(add_task: Task, acme: int) -> None:
    with transaction.atomic():
        Tenant.objects.create(id=55, name="written before")
        with pytest.raises(errors.UnknownTenant), tenant(999):
            add_task.enqueue()
        with tenant(acme):
            add_task.enqueue()

    assert Tenant.objects.filter(pk=55).exists()
    assert Job.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_job_exists_exactly_when_the_callers_rows_do(declare: Callable[..., Task]) -> None:
    task = declare(by_position, tenant="all")

    with transaction.atomic():
        Tenant.objects.create(id=55, name="kept")
        task.enqueue(1, 1)
    with pytest.raises(Undone), transaction.atomic():
        Tenant.objects.create(id=56, name="undone")
        task.enqueue(2, 2)
        raise Undone

    assert [row.args for row in Job.objects.all()] == [{"first": 1, "second": 1}]
    assert Tenant.objects.filter(pk__in=(55, 56)).count() == 1


# -- what is refused


BAD_CALLS: list[tuple[str, Mapping[str, Any], type[Exception], str]] = [
    (
        "unknown argument",
        {"nunber": 1},
        errors.WrongArguments,
        r"'nunber'.*Given: nunber; right is add\(\*, number: int = 0\)\.",
    ),
    ("not json", {"number": {1, 2}}, errors.NotJson, r"args\.number is a set.*sorted"),
    ("nan", {"number": float("nan")}, errors.NotJson, "nan"),
    ("infinity", {"number": float("inf")}, errors.NotJson, "inf"),
    ("nul", {"number": "a\0"}, errors.NotJson, "NUL"),
    ("surrogate", {"number": "\udfff"}, errors.NotJson, "surrogate"),
    ("datetime", {"number": dt.datetime(2026, 1, 1, tzinfo=dt.UTC)}, errors.NotJson, r"isoformat\(\)"),
    ("too large", {"number": "x" * MAX}, errors.TooLarge, "256 KiB"),
    ("endless int", {"number": 10**400}, errors.NotJson, "bits"),
]


@pytest.mark.parametrize(("what", "kwargs", "error", "says"), BAD_CALLS, ids=[call[0] for call in BAD_CALLS])
def test_a_bad_call_is_refused_with_a_typed_error_and_nothing_is_written(
    add_task: Task, acme: int, what: str, kwargs: Mapping[str, Any], error: type[Exception], says: str
) -> None:
    with tenant(acme), CaptureQueriesContext(connection) as sent:
        with pytest.raises(error, match=says):
            add_task.enqueue(**kwargs)
        with pytest.raises(error, match=says):
            enqueue_many(add_task, [{"number": 1}, kwargs])

    assert nothing_was_written()
    assert [each["sql"] for each in sent] == []


def test_too_many_arguments_are_refused(add_task: Task, acme: int) -> None:
    with tenant(acme), pytest.raises(errors.WrongArguments, match="Given: #1, #2; right is"):
        add_task.enqueue(1, 2)


def test_a_model_instance_is_refused_with_the_advice_to_pass_its_id(add_task: Task, acme: int) -> None:
    with tenant(acme), pytest.raises(errors.NotJson, match="Pass its id and load it in the task"):
        add_task.enqueue(number=Tenant.objects.get(pk=acme))


@pytest.mark.parametrize("key", ["a\0b", "\ud800", "x" * 501, 7], ids=repr)
@pytest.mark.parametrize("option", ["lock", "queueing_lock", "unique"])
def test_a_key_that_cannot_be_stored_is_refused(sweep_task: Task, option: str, key: Any) -> None:
    with pytest.raises(errors.NotJson, match="a lock or key is text of at most 500"):
        sweep_task.using(**{option: key}).enqueue()

    assert nothing_was_written()


def test_a_guard_refuses_the_call(declare: Callable[..., Task]) -> None:
    def guard(args: dict[str, Any]) -> None:
        raise NotYetBuilt(f"call {args['first']}")

    task = declare(by_position, tenant="all", guard=guard)

    with pytest.raises(NotYetBuilt, match="'call 4' is registered but not built yet"):
        task.enqueue(first=4, second=0)
    assert nothing_was_written()


# -- tenants


def test_a_job_is_stamped_with_the_tenant_of_its_context(add_task: Task, acme: int, other_tenant: int) -> None:
    with tenant(acme):
        outer = add_task.enqueue()
        with tenant(other_tenant):
            inner = add_task.enqueue()
        again = add_task.enqueue()

    assert [job(each.id).tenant_id for each in (outer, inner, again)] == [acme, other_tenant, acme]
    assert current_tenant() is None


def test_a_task_of_one_tenant_is_refused_without_one(add_task: Task) -> None:
    with pytest.raises(errors.NoTenant, match=r"'add' belongs to one tenant and none is set: .*with tenant\(id\)"):
        add_task.enqueue()
    with pytest.raises(errors.NoTenant), tenant(7), no_tenant():
        add_task.enqueue()


def test_a_sweep_needs_no_tenant_and_keeps_the_one_it_is_given(sweep_task: Task, acme: int) -> None:
    assert job(sweep_task.enqueue().id).tenant_id == 0
    with tenant(acme):
        assert job(sweep_task.enqueue().id).tenant_id == acme


def test_a_tenant_is_never_taken_from_the_arguments(declare: Callable[..., Task], acme: int) -> None:
    task = declare(with_tenant_argument)

    with tenant(acme):
        assert job(task.enqueue(tenant_id=8, client_id=8).id).tenant_id == acme


def with_tenant_argument(*, tenant_id: int, client_id: int) -> None:
    return None


def refused_tenants(task: Task) -> None:
    """The check that the mutant below must fail."""
    for wrong in (9, 10):
        with tenant(wrong), pytest.raises(errors.UnknownTenant, match=f"'add' was enqueued for tenant {wrong}, which"):
            task.enqueue()
        with tenant(wrong), pytest.raises(errors.UnknownTenant):
            enqueue_many(task, [{}, {}])
        with tenant(wrong), pytest.raises(errors.UnknownTenant):
            enqueue_many(task.using(unique="one"), [{}, {}])
    assert nothing_was_written()


def test_an_unknown_or_sleeping_tenant_is_refused_and_nothing_is_written(add_task: Task, acme: int) -> None:
    Tenant.objects.create(id=9, name="Gone", is_active=False)

    refused_tenants(add_task)


@pytest.mark.parametrize(
    ("function", "guard", "instead"),
    [
        ("youtility_tasks_enqueue_v1", "t.is_active AND ", ""),
        ("youtility_tasks_enqueue_v1", "w.tenant_id = ANY (known)", "true"),
        ("youtility_tasks_enqueue_one_v1", " AND t.is_active", ""),
        ("youtility_tasks_enqueue_one_v1", "p_tenant_id = 0", "true"),
    ],
)
def test_nobody_can_take_out_the_test_of_the_tenant_unnoticed(
    add_task: Task, acme: int, function: str, guard: str, instead: str
) -> None:
    Tenant.objects.create(id=9, name="Gone", is_active=False)
    text = definition(function)
    assert guard in text

    with undone(), pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        execute(text.replace(guard, instead).replace("%", "%%"))
        refused_tenants(add_task)


def each_of_many_has_its_own_job() -> None:
    """Some keys are taken, some twice in the batch, and the rows are not written in the order of the calls."""
    keyed = registry.get("numbered").using(queueing_lock=lambda call: None if call["key"] is None else str(call["key"]))
    with tenant(7):
        taken = keyed.enqueue(number=0, key=5)
        calls = [{"number": n, "key": key} for n, key in enumerate([9, None, 5, 1, 9, None, 1, 3], start=1)]
        told = enqueue_many(keyed, calls)
    numbers = {str(pk): number for pk, number in Job.objects.values_list("pk", "args__number")}
    assert [numbers.get(each.id) for each in told] == [1, 2, 0, 4, 1, 6, 4, 8]
    assert told[2].id == taken.id and len(numbers) == 6


def numbered(number: int, key: int | None) -> None: ...


def test_each_of_many_is_told_of_its_own_job(acme: int, declare: Callable[..., Task]) -> None:
    declare(numbered)
    must_catch(
        each_of_many_has_its_own_job,
        "youtility_tasks_enqueue_v1",
        "cardinality(ids) = (SELECT count(*) FROM unnest(p_tenant_ids) t WHERE t = ANY (known))",
        "true",
    )


@pytest.mark.parametrize("wrong", [0, -1, None, "7", 7.0, True, 2**31], ids=repr)
def test_something_that_is_no_tenant_id_is_refused(wrong: Any) -> None:
    with pytest.raises(errors.UnknownTenant, match="a whole number from 1 to 2147483647; given: "), tenant(wrong):
        pytest.fail("entered")
    assert current_tenant() is None


def test_a_tenant_ends_with_its_block_also_when_that_fails() -> None:
    with pytest.raises(Undone), tenant(7):
        raise Undone

    assert current_tenant() is None


def test_the_scope_is_the_tenant_or_every_active_one(acme: int, other_tenant: int) -> None:
    Tenant.objects.create(id=9, name="Gone", is_active=False)

    assert tenants_in_scope() == [acme, other_tenant]
    with tenant(other_tenant):
        assert tenants_in_scope() == [other_tenant]


# -- many


def test_many_are_written_by_one_statement(add_task: Task, acme: int) -> None:
    with tenant(acme), CaptureQueriesContext(connection) as sent:
        results = enqueue_many(add_task, [{"number": n} for n in range(500)])

    statements = [each["sql"] for each in sent if "SAVEPOINT" not in each["sql"]]
    assert len(statements) == 1
    assert [job_row.args["number"] for job_row in Job.objects.order_by("pk")] == list(range(500))
    assert [int(result.id) for result in results] == list(Job.objects.order_by("pk").values_list("pk", flat=True))
    assert [result.kwargs["number"] for result in results] == list(range(500))


def test_many_are_all_or_none(add_task: Task, acme: int) -> None:
    with tenant(acme), pytest.raises(errors.NotJson):
        enqueue_many(add_task, [*({"number": n} for n in range(99)), {"number": float("nan")}])

    assert nothing_was_written()


@pytest.mark.parametrize(
    ("calls", "says"),
    [
        ({"number": 1}, r"calls\[0\] of enqueue_many is 'number'; right is a mapping"),
        ([{"number": 1}, 2], r"calls\[1\] of enqueue_many is 2"),
        ([[("number", 1)]], r"calls\[0\]"),
        ([{"number": 1, 2: 3}], "Given: 2, number"),
    ],
    ids=repr,
)
def test_many_are_refused_when_one_is_no_mapping_of_arguments(add_task: Task, acme: int, calls: Any, says: str) -> None:
    with tenant(acme), pytest.raises(errors.WrongArguments, match=says):
        enqueue_many(add_task, calls)

    assert nothing_was_written()


def test_many_say_which_one_is_bad(add_task: Task, acme: int) -> None:
    with tenant(acme), pytest.raises(errors.NotJson) as refused:
        enqueue_many(add_task, [{"number": 1}, {"number": 2}, {"number": {3}}])

    assert refused.value.__notes__ == ["It was calls[2] of enqueue_many; nothing was written."]


def test_many_of_none_is_nothing(add_task: Task, acme: int) -> None:
    with tenant(acme), CaptureQueriesContext(connection) as sent:
        assert enqueue_many(add_task, []) == []

    assert len(sent) == 0


def test_many_with_one_key_are_one_job(single_task: Task) -> None:
    waiting = single_task.enqueue(key="b")

    results = enqueue_many(single_task, [{"key": key} for key in ("a", "b", "a", "c", "a")])

    ids = [result.id for result in results]
    assert ids[0] == ids[2] == ids[4]
    assert ids[1] == waiting.id
    assert len(set(ids)) == 3 == Job.objects.count()


# -- one waiting


def test_a_taken_queueing_lock_gives_the_job_that_waits(single_task: Task) -> None:
    first = single_task.enqueue(key="a", number=1)
    second = single_task.enqueue(key="a", number=2)
    other = single_task.enqueue(key="b", number=3)

    assert second.id == first.id != other.id
    assert second.kwargs == {"key": "a", "number": 1}, "it is the waiting job's result, not the call's"
    assert statuses() == {int(first.id): "todo", int(other.id): "todo"}


def test_a_lock_that_a_job_of_an_undeclared_task_holds_is_named_with_that_job(single_task: Task) -> None:
    waits = single_task.enqueue(key="a", number=1)
    Job.objects.filter(pk=waits.id).update(task_name="of_the_release_before")

    with pytest.raises(errors.EnqueueError, match=rf"job {waits.id} holds .*declared nowhere here.*cancel {waits.id}"):
        single_task.enqueue(key="a", number=2)

    assert Job.objects.count() == 1


def test_a_batch_of_which_one_has_no_answer_leaves_no_row_behind(single_task: Task) -> None:
    waits = single_task.enqueue(key="a", number=1)
    Job.objects.filter(pk=waits.id).update(task_name="of_the_release_before")

    with pytest.raises(errors.EnqueueError, match="Nothing was written"):
        enqueue_many(single_task, [{"key": "b", "number": 2}, {"key": "a", "number": 3}])

    assert [str(pk) for pk in Job.objects.values_list("pk", flat=True)] == [waits.id]


def test_a_running_job_leaves_its_queueing_lock_free(desk: Desk, single_task: Task) -> None:
    running = single_task.enqueue(key="a")
    desk.take()

    waiting = single_task.enqueue(key="a")

    assert waiting.id != running.id


def test_a_unique_key_stands_for_waiting_and_running_jobs(desk: Desk, sweep_task: Task) -> None:
    task = sweep_task.using(unique="k")
    first = task.enqueue(number=1)
    assert task.enqueue(number=2).id == first.id

    held = desk.take()
    running = task.enqueue(number=3)
    assert running.id == first.id
    assert running.status == tasks_api.TaskResultStatus.RUNNING

    desk.finish(held, "succeeded")
    assert task.enqueue(number=4).id != first.id


def test_a_key_belongs_to_its_tenant_and_task(
    sweep_task: Task, single_task: Task, locked_task: Task, acme: int, other_tenant: int
) -> None:
    def ids() -> list[str]:
        unique = [sweep_task.using(unique="k").enqueue(), locked_task.using(unique="k").enqueue(key="a")]
        return [result.id for result in (*unique, single_task.enqueue(key="a"))]

    seen = []
    for client in (acme, other_tenant):
        with tenant(client):
            seen += ids()
            assert seen[-3:] == ids()

    assert len(set(seen)) == 6


def test_a_dead_letter_holds_no_key(desk: Desk, sweep_task: Task) -> None:
    task = sweep_task.using(unique="k", queueing_lock="q")
    first = task.enqueue()
    desk.finish(desk.take(), "failed")

    assert task.enqueue().id != first.id


# -- signals


def test_the_signal_is_sent_once_for_a_new_job_and_not_for_one_that_waits(single_task: Task) -> None:
    seen: list[str] = []

    def listen(sender: Any, task_result: Any, **kwargs: Any) -> None:
        seen.append(task_result.id)

    tasks_api.task_enqueued.connect(listen)
    try:
        first = single_task.enqueue(key="a")
        single_task.enqueue(key="a")
    finally:
        tasks_api.task_enqueued.disconnect(listen)

    assert seen == [first.id]


@pytest.mark.django_db(transaction=True)
def test_workers_are_notified_of_a_new_job_when_it_is_committed(declare: Callable[..., Task]) -> None:
    task = declare(by_position, tenant="all", queue_name=queues.EMAIL)
    with psycopg.connect(conninfo("a test that listens"), autocommit=True) as listening:
        listening.execute('LISTEN "procrastinate_queue_v1#email"')

        with transaction.atomic():
            task.enqueue(1, 2)
            assert list(listening.notifies(timeout=0)) == []

        assert [note.channel for note in listening.notifies(timeout=5, stop_after=1)] == [
            "procrastinate_queue_v1#email"
        ]
