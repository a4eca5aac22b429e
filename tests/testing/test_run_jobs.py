"""Draining in the test's own process: in which order, what of errors, and what it leaves of the test's transaction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from tests.integration.desk import execute
from youtility_tasks import BadInput, Retry, Task, effects, queues, tenant
from youtility_tasks.models import Job, TaskExecutionHistory, TaskWorker, Tenant
from youtility_tasks.testing import drain, enqueued_jobs, run_jobs

pytestmark = pytest.mark.django_db

seen: list[Any] = []


@pytest.fixture(autouse=True)
def nothing_seen() -> None:
    seen.clear()


@pytest.fixture
def forgetting(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """`forgetting(name)`: a drain no longer sends that statement."""
    fetch = drain.queries.fetch

    def leave_out(name: str) -> None:
        monkeypatch.setattr(drain.queries, "fetch", lambda asked, given: [] if asked == name else fetch(asked, given))

    return leave_out


def note(*, what: str) -> None:
    seen.append(what)


def break_it(*, name: str = "") -> None:
    Tenant.objects.create(pk=900, name="written before it broke")
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO youtility_tasks_tenant (id) VALUES (900)")


def fail(*, how: str) -> None:
    raise {"bad": BadInput, "bug": ZeroDivisionError}[how](how)


async def later(*, what: str) -> None:
    seen.append(what)


async def fail_later() -> None:
    raise ZeroDivisionError("async")


def cancel_others() -> None:
    Job.objects.filter(queue_name=queues.REPORTS).delete()


def write_and_fail() -> None:
    Tenant.objects.create(pk=901, name="kept")
    try:
        with transaction.atomic():
            Tenant.objects.create(pk=901, name="twice")
    except IntegrityError:
        raise ZeroDivisionError from None


def again(*, n: int = 0) -> None:
    again_task[0].enqueue(n=n + 1)


again_task: list[Task] = []


def sent(*, key: str) -> bool:
    return effects.perform(key, seen.append)


def test_the_most_urgent_goes_first_then_tenants_in_turn_then_ids(
    declare: Callable[..., Task], acme: int, other_tenant: int
) -> None:
    task = declare(note)
    for number in range(3):
        for who in (acme, other_tenant) if number else (acme, acme, other_tenant):
            with tenant(who):
                task.enqueue(what=f"{who}.{number}")
    with tenant(other_tenant):
        task.using(priority=1).enqueue(what="urgent")
        task.using(queue_name=queues.HIGH_PRIORITY, priority=10).enqueue(what="of the first queue")
    run_jobs()

    assert seen == ["of the first queue", "urgent", "7.0", "8.0", "7.0", "8.1", "7.1", "8.2", "7.2"]


def orders(task: Task, *whose: int) -> list[list[Any]]:
    """In which order jobs of these tenants run, when the turns of this session stand elsewhere each time."""
    found = []
    for lead in range(3):
        for is_lead in (True, False):
            for who in whose:
                with tenant(who):
                    task.enqueue(what=who)
            seen.clear()
            run_jobs(limit=lead if is_lead else None)
            if is_lead:
                Job.objects.all().delete()
        found.append(list(seen))
    return found


def test_the_order_does_not_depend_on_what_ran_before(
    declare: Callable[..., Task], acme: int, other_tenant: int, forgetting: Callable[..., Any]
) -> None:
    task, whose = declare(note), (acme, other_tenant, acme, other_tenant)

    assert orders(task, *whose) == [list(whose)] * 3
    forgetting("forget_turns")
    assert orders(task, *whose) != [list(whose)] * 3


def test_a_claim_that_took_long_hides_nothing_from_the_next(
    declare: Callable[..., Task], acme: int, forgetting: Callable[..., Any]
) -> None:
    task = declare(note)

    def order() -> list[Any]:
        with tenant(acme):
            task.enqueue(what="normal")
            task.using(priority=1).enqueue(what="urgent")
        # as after a slow look: from the beginning of priority 5, and nothing else until then
        execute("SELECT set_config('youtility_tasks.floors', 'infinity|{-6}|{7}|{0}|infinity', false)")
        seen.clear()
        run_jobs()
        return list(seen)

    assert order() == ["urgent", "normal"]
    forgetting("forget_looks")
    assert order() == ["normal", "urgent"]


def test_named_queues_alone_are_drained_in_that_order(declare: Callable[..., Task], acme: int) -> None:
    task = declare(note)
    with tenant(acme):
        for name in queues.configured():
            task.using(queue_name=name).enqueue(what=name)

    assert run_jobs(queues.REPORTS, queues.EMAIL) == 2
    assert seen == [queues.REPORTS, queues.EMAIL]


def test_a_job_that_a_job_cancels_does_not_run(declare: Callable[..., Task], acme: int) -> None:
    first, second = declare(cancel_others, queue_name=queues.HIGH_PRIORITY), declare(note, queue_name=queues.REPORTS)
    with tenant(acme):
        second.enqueue(what="cancelled")
        first.enqueue()

    assert run_jobs() == 1
    assert seen == []


def test_an_error_is_recorded_and_with_raises_raised_after_that(declare: Callable[..., Task], acme: int) -> None:
    task = declare(fail, retry=Retry(1))
    with tenant(acme):
        result = task.enqueue(how="bug")
        assert run_jobs() == 1
        again = task.enqueue(how="bug")

    with pytest.raises(ZeroDivisionError, match="bug") as caught:
        run_jobs(raises=True)

    assert f"job {again.id}" in caught.value.__notes__[0]
    ended = TaskExecutionHistory.objects.filter(job_id__in=[result.id, again.id])
    assert {each.error_class for each in ended} == {"builtins.ZeroDivisionError"}
    assert not TaskWorker.objects.present().exists()


def test_a_job_that_breaks_the_transaction_fails_alone(declare: Callable[..., Task], acme: int) -> None:
    task, other = declare(break_it, retry=Retry(1)), declare(note)
    with tenant(acme):
        broken = task.enqueue()
        other.enqueue(what="after it")

    assert run_jobs() == 2

    assert seen == ["after it"]
    assert TaskExecutionHistory.objects.get(job_id=broken.id).error_class == "django.db.utils.IntegrityError"
    assert not Tenant.objects.filter(pk=900).exists()


def test_without_its_savepoint_a_broken_transaction_would_be_the_tests(
    declare: Callable[..., Task], acme: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drain, "_run_apart", drain.run.run_in_place)
    task = declare(break_it, retry=Retry(1))
    with tenant(acme):
        task.enqueue()

    with pytest.raises(DatabaseError, match="current transaction is aborted"):
        run_jobs()


def test_what_a_job_has_written_before_it_failed_by_itself_stays(declare: Callable[..., Task], acme: int) -> None:
    task = declare(write_and_fail, retry=Retry(1))
    with tenant(acme):
        task.enqueue()

    run_jobs()

    assert Tenant.objects.get(pk=901).name == "kept"


def test_async_tasks_run_to_their_end_and_their_errors_are_raised(declare: Callable[..., Task], acme: int) -> None:
    task, failing = declare(later), declare(fail_later, retry=Retry(1))
    with tenant(acme):
        task.enqueue(what="async")
        failing.enqueue()

    with pytest.raises(ZeroDivisionError, match="async"):
        run_jobs(raises=True)
    assert seen == ["async"]


def test_a_task_that_enqueues_itself_for_ever_is_found(
    declare: Callable[..., Task], acme: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drain, "MOST", 20)
    again_task[:] = [declare(again)]
    with tenant(acme):
        again_task[0].enqueue()

    assert run_jobs(limit=25) == 25
    with pytest.raises(AssertionError, match=r"20 attempts .* of again\. Does a task enqueue itself\?"):
        run_jobs()
    assert len(enqueued_jobs(again_task[0])) == 1


def test_an_outside_effect_is_performed_inside_the_transaction_of_a_test_case(
    declare: Callable[..., Task], acme: int
) -> None:
    task = declare(sent)
    with tenant(acme):
        task.enqueue(key="one")
        task.enqueue(key="one")

    assert run_jobs(raises=True) == 2
    assert len(seen) == 1


def test_an_outside_effect_inside_a_transaction_of_the_task_is_refused_as_ever(acme: int) -> None:
    with tenant(acme), transaction.atomic(), pytest.raises(effects.EffectInTransaction):
        effects.perform("one", seen.append)
    assert seen == []
