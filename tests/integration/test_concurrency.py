"""Two sessions meet in the same rows: nobody gets twice what is there once, nobody fails, and nothing is lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import pytest
from django.db import DatabaseError, connection, transaction

from tests.integration.desk import Desk, execute, job, rescue, rows, statuses
from tests.integration.mutants import LONE, definition
from tests.integration.sessions import Aside, aside, at_once
from youtility_tasks import Retry, Task, effects, enqueue_many, queues, tenant
from youtility_tasks.models import Job, QueueControl, Tenant

pytestmark = pytest.mark.usefixtures("committed")


def work(*, number: int = 0) -> None:
    return None


def locked(*, key: str) -> None:
    return None


def single(*, key: str) -> None:
    return None


@pytest.fixture
def work_task(declare: Callable[..., Task]) -> Task:
    return declare(work, tenant="all", retry=Retry(3))


@pytest.fixture
def lock_task(declare: Callable[..., Task]) -> Task:
    return declare(locked, tenant="all", retry=Retry(3), lock=lambda args: args["key"])


@pytest.fixture
def one_waiting_task(declare: Callable[..., Task]) -> Task:
    return declare(single, tenant="all", retry=Retry(3), queueing_lock=lambda args: args["key"])


@pytest.fixture
def other() -> Iterator[Aside]:
    with aside() as session:
        yield session


@contextmanager
def mutated(function: str, guard: str, instead: str) -> Iterator[None]:
    """For as long as the block lasts, everybody has the mutant."""
    original = definition(function)
    assert guard in original
    execute(original.replace(guard, instead).replace("%", "%%"))
    try:
        yield
    finally:
        execute(original.replace("%", "%%"))


def empty() -> None:
    execute("TRUNCATE procrastinate_jobs, procrastinate_workers, youtility_tasks_history CASCADE")


# -- enqueueing at once


def test_twenty_calls_with_one_queueing_lock_are_one_job(one_waiting_task: Task) -> None:
    ids = at_once(20, lambda n: one_waiting_task.enqueue(key="a").id)

    assert len(set(ids)) == 1
    assert Job.objects.count() == 1


def test_fifty_calls_with_one_unique_key_are_one_job(work_task: Task) -> None:
    ids = at_once(50, lambda n: work_task.using(unique="k").enqueue(number=n).id)

    assert len(set(ids)) == 1
    assert Job.objects.count() == 1


def test_twenty_batches_that_share_keys_are_one_job_a_key(one_waiting_task: Task) -> None:
    keys = [f"{n}" for n in range(10)]

    def enqueue_all(number: int) -> list[str]:
        return [result.id for result in enqueue_many(one_waiting_task, [{"key": key} for key in keys])]

    batches = at_once(20, enqueue_all)

    assert Job.objects.count() == 10
    assert all(batch == batches[0] for batch in batches)


def test_a_call_waits_for_the_transaction_that_took_its_key_and_takes_it_if_that_fails(
    one_waiting_task: Task, other: Aside
) -> None:
    with transaction.atomic():
        taken = one_waiting_task.enqueue(key="a")
        meanwhile = other.start(lambda: one_waiting_task.enqueue(key="a").id)
        other.until_it_waits()
        transaction.set_rollback(True)

    assert meanwhile.result(10) != taken.id
    assert [str(pk) for pk in Job.objects.values_list("pk", flat=True)] == [meanwhile.result()]


def test_batches_in_opposite_order_do_not_kill_each_other(one_waiting_task: Task) -> None:
    keys = [f"{n:04}" for n in range(2_000)]

    def enqueue_all(number: int) -> int:
        ordered = keys if number % 2 else keys[::-1]
        with transaction.atomic():
            return len(enqueue_many(one_waiting_task, [{"key": key} for key in ordered]))

    assert at_once(2, enqueue_all) == [2_000] * 2
    assert Job.objects.count() == 2_000


# -- claiming at once


def test_many_workers_that_claim_at_once_share_the_jobs(work_task: Task) -> None:
    enqueue_many(work_task, [{"number": n} for n in range(300)])

    def drain(number: int) -> list[int]:
        desk, taken = Desk(), []
        while claimed := desk.claim(7):
            taken += [each.id for each in claimed]
        return taken

    taken = Counter(job_id for each in at_once(8, drain) for job_id in each)

    assert len(taken) == 300
    assert set(taken.values()) == {1}
    assert rows("SELECT max(claim_number), count(DISTINCT worker_id) > 1 FROM procrastinate_jobs") == [(1, True)]


def two_claim_one_job(work_task: Task, other: Aside) -> None:
    desk, beside = Desk(), other.do(Desk)
    found = int(work_task.enqueue().id)
    with transaction.atomic():
        assert [each.id for each in desk.claim()] == [found]
        other.do(lambda: execute("SET lock_timeout = '1s'"))
        assert other.do(beside.claim) == []
    assert statuses() == {found: "doing"}


def test_of_two_that_claim_one_job_the_second_gets_nothing_at_once(work_task: Task, other: Aside) -> None:
    two_claim_one_job(work_task, other)
    empty()
    with (
        mutated(LONE, "LIMIT 2 FOR UPDATE SKIP LOCKED", "LIMIT 2 FOR UPDATE"),
        pytest.raises((AssertionError, DatabaseError)),
    ):
        two_claim_one_job(work_task, other)


def test_many_workers_never_run_two_jobs_of_a_lock(lock_task: Task) -> None:
    enqueue_many(lock_task, [{"key": key} for key in "abcde" * 20])

    def drain(number: int) -> int:
        desk, done = Desk(), 0
        while Job.objects.exists():
            for each in desk.claim(3):
                running = rows(
                    "SELECT count(*) FROM procrastinate_jobs WHERE lock = (SELECT lock FROM procrastinate_jobs WHERE id = %s) AND status = 'doing'",
                    each.id,
                )
                assert running == [(1,)]
                assert desk.finish(each, "succeeded")
                done += 1
        return done

    assert sum(at_once(6, drain)) == 100


CLAIM, FINISH, RESCUE = "youtility_tasks_claim_v2", "youtility_tasks_finish_v2", "youtility_tasks_rescue_v1"
CLAIM_HANDLER = "WHEN unique_violation OR lock_not_available THEN"
HANDLER, NO_HANDLER = "WHEN unique_violation THEN", "WHEN division_by_zero THEN"


def a_lock_is_taken_through_a_job_that_the_claim_cannot_see(lock_task: Task, work_task: Task, other: Aside) -> None:
    """The first of the lock was claimed by a transaction that has not ended; then a more urgent one came."""
    desk = Desk()
    older = lock_task.enqueue(key="a")
    free_desk = other.do(Desk)
    with transaction.atomic():
        assert [each.id for each in desk.claim()] == [int(older.id)]
        urgent = other.do(lambda: lock_task.using(priority=1).enqueue(key="a").id)
        free = other.do(lambda: work_task.enqueue().id)
        claimed = other.start(free_desk.claim)
        other.until_it_waits()

    assert [each.id for each in claimed.result(10)] == [int(free)]
    assert statuses() == {int(older.id): "doing", int(urgent): "todo", int(free): "doing"}


def one_is_enqueued_while_another_goes_back(one_waiting_task: Task, other: Aside) -> None:
    desk = Desk()
    one_waiting_task.enqueue(key="a")
    held = desk.take()
    with transaction.atomic():
        waiting = one_waiting_task.enqueue(key="a")
        accepted = other.start(lambda: desk.finish(held, "retry"))
        other.until_it_waits()

    assert accepted.result(10)
    assert statuses() == {held.id: "todo", int(waiting.id): "todo"}
    assert (job(held.id).queueing_lock, job(waiting.id).queueing_lock) == (None, "0:a")


def one_is_enqueued_while_another_is_rescued(one_waiting_task: Task, other: Aside) -> None:
    desk = Desk()
    one_waiting_task.enqueue(key="a")
    held = desk.take()
    desk.fall_silent()
    with transaction.atomic():
        waiting = one_waiting_task.enqueue(key="a")
        rescued = other.start(rescue)
        other.until_it_waits()

    assert rescued.result(10) == {held.id: "rescued"}
    assert statuses() == {held.id: "todo", int(waiting.id): "todo"}


def test_a_claim_survives_a_lock_that_it_could_not_see(lock_task: Task, work_task: Task, other: Aside) -> None:
    a_lock_is_taken_through_a_job_that_the_claim_cannot_see(lock_task, work_task, other)
    empty()
    with mutated(CLAIM, CLAIM_HANDLER, NO_HANDLER), pytest.raises((AssertionError, DatabaseError)):
        a_lock_is_taken_through_a_job_that_the_claim_cannot_see(lock_task, work_task, other)


def test_a_job_goes_back_while_another_is_enqueued_under_its_queueing_lock(
    one_waiting_task: Task, other: Aside
) -> None:
    one_is_enqueued_while_another_goes_back(one_waiting_task, other)
    empty()
    with mutated(FINISH, HANDLER, NO_HANDLER), pytest.raises((AssertionError, DatabaseError)):
        one_is_enqueued_while_another_goes_back(one_waiting_task, other)


def test_a_job_is_rescued_while_another_is_enqueued_under_its_queueing_lock(
    one_waiting_task: Task, other: Aside
) -> None:
    one_is_enqueued_while_another_is_rescued(one_waiting_task, other)
    empty()
    with mutated(RESCUE, HANDLER, NO_HANDLER), pytest.raises((AssertionError, DatabaseError)):
        one_is_enqueued_while_another_is_rescued(one_waiting_task, other)


def test_who_is_ahead_is_served_while_another_worker_has_what_comes_first(work_task: Task, other: Aside) -> None:
    what_comes_first_is_being_taken(work_task, other)
    empty()
    with mutated("youtility_tasks_ready_v2", " + (reach > 1)::integer", ""), pytest.raises(AssertionError):
        what_comes_first_is_being_taken(work_task, other)


def what_comes_first_is_being_taken(work_task: Task, other: Aside) -> None:
    for tenant_id in (7, 8):
        Tenant.objects.get_or_create(pk=tenant_id, defaults={"name": f"Client {tenant_id}"})
        with tenant(tenant_id):
            work_task.enqueue()
    desk = Desk()

    def claim() -> list[int]:
        execute("SELECT set_config('youtility_tasks.turns', '{7}|{5}', false)")
        return [each.tenant_id for each in desk.claim(1)]

    with transaction.atomic():
        execute("SELECT 1 FROM procrastinate_jobs WHERE tenant_id = 8 FOR UPDATE")
        assert other.do(claim) == [7]


# -- limits


def two_claim_at_once_under_one_limit(work_task: Task, other: Aside) -> None:
    QueueControl.objects.create(task_name=work_task.name, max_running=5)
    enqueue_many(work_task, ({} for _ in range(20)))
    desk, second = Desk(), other.do(Desk)
    with transaction.atomic():
        first = desk.claim(4)
        claimed = other.start(second.claim)
        other.until_it_waits()
    assert (len(first), len(claimed.result(10))) == (4, 1)


def test_a_limit_holds_for_all_who_claim_at_once(work_task: Task, other: Aside) -> None:
    two_claim_at_once_under_one_limit(work_task, other)
    empty()
    guard = "pg_advisory_xact_lock(hashtext('youtility_tasks_control'), c.id)"
    with mutated("youtility_tasks_claim_limited_v1", guard, "c.id"), pytest.raises((AssertionError, DatabaseError)):
        two_claim_at_once_under_one_limit(work_task, other)


# -- rescuing at once


def rescue_passes_by_a_worker_that_somebody_else_holds(work_task: Task, other: Aside) -> None:
    desk = Desk()
    work_task.enqueue()
    held = desk.take()
    desk.fall_silent()
    with transaction.atomic():
        # What another rescue, or the worker's own renewal, has in hand.
        rows("SELECT 1 FROM procrastinate_workers WHERE id = %s FOR UPDATE", desk.id)
        assert other.do(rescue) == {}
    assert rescue() == {held.id: "rescued"}


def test_a_rescue_passes_by_a_worker_that_somebody_else_holds(work_task: Task, other: Aside) -> None:
    rescue_passes_by_a_worker_that_somebody_else_holds(work_task, other)
    empty()
    other.do(lambda: execute("SET lock_timeout = '200ms'"))
    with (
        mutated(RESCUE, "FOR UPDATE OF w SKIP LOCKED", "FOR UPDATE OF w"),
        pytest.raises((AssertionError, DatabaseError)),
    ):
        rescue_passes_by_a_worker_that_somebody_else_holds(work_task, other)


def test_a_worker_that_renews_while_it_is_being_rescued_is_told(work_task: Task, other: Aside) -> None:
    desk = Desk()
    work_task.enqueue()
    held = desk.take()
    desk.fall_silent()
    with transaction.atomic():
        assert rescue() == {held.id: "rescued"}
        renewed = other.start(lambda: desk.renew(held))
        other.until_it_waits()

    assert renewed.result(10) == {("unregistered", None)}


def test_many_rescues_at_once_rescue_each_job_once(work_task: Task) -> None:
    enqueue_many(work_task, [{"number": n} for n in range(60)])
    for _ in range(6):
        desk = Desk()
        assert len(desk.claim(10)) == 10
        desk.fall_silent()

    rescued = Counter(job_id for found in at_once(6, lambda n: rescue()) for job_id in found)

    assert len(rescued) == 60
    assert set(rescued.values()) == {1}
    assert rows("SELECT DISTINCT rescue_count, status::text FROM procrastinate_jobs") == [(1, "todo")]
    assert rows("SELECT count(*) FROM youtility_tasks_history") == [(60,)]


def test_finishing_and_rescuing_at_once_leave_one_ending(work_task: Task) -> None:
    """Either the worker was in time, or it was not; never both."""
    for _ in range(10):
        empty()
        work_task.enqueue()
        desk = Desk()
        held = desk.take()
        desk.fall_silent()
        finish = partial(desk.finish, held, "succeeded")

        accepted, rescued = at_once(2, lambda n, finish=finish: rescue() if n else finish())

        assert accepted is not bool(rescued)
        assert statuses() == ({} if accepted else {held.id: "todo"})
        assert rows("SELECT count(*) FROM youtility_tasks_history") == [(1,)]


# -- effects at once


def test_of_many_at_once_one_enters_a_key() -> None:
    with tenant(7):
        pass

    def enter(number: int) -> bool:
        with tenant(7):
            return effects.once("k")

    assert Counter(at_once(12, enter)) == {True: 1, False: 11}


def test_a_second_transaction_waits_for_the_first_with_its_key(other: Aside) -> None:
    def enter() -> bool:
        with tenant(7):
            return effects.once("k")

    with transaction.atomic():
        assert enter()
        second = other.start(enter)
        other.until_it_waits()
        transaction.set_rollback(True)

    assert second.result(10) is True, "the first was rolled back, so the second is the first"


def test_keys_in_opposite_order_do_not_kill_each_other() -> None:
    keys = [f"{n:03}" for n in range(200)]

    def enter(number: int) -> int:
        with tenant(7):
            return len(effects.once_many(keys if number % 2 else keys[::-1]))

    assert sum(at_once(8, enter)) == 200


def test_of_many_at_once_one_performs_and_nobody_performs_twice() -> None:
    sent: list[str] = []

    def perform(number: int) -> str:
        with tenant(7):
            try:
                return str(effects.perform("k", sent.append))
            except Exception as error:
                return type(error).__name__

    outcomes = Counter(at_once(12, perform))

    assert len(sent) == 1
    assert outcomes["True"] == 1
    assert set(outcomes) <= {"True", "False", "NotReady"}


def test_a_tenant_that_is_put_to_sleep_while_a_job_is_enqueued_is_one_or_the_other(
    declare: Callable[..., Task], other: Aside
) -> None:
    Tenant.objects.create(id=7, name="Acme")
    task = declare(work)

    with transaction.atomic():
        Tenant.objects.filter(pk=7).update(is_active=False)

        def enqueue() -> str:
            with tenant(7):
                return task.enqueue().id

        job_id = other.do(enqueue)

    assert job(job_id).tenant_id == 7
    assert job(job_id).queue_name == queues.MAINTENANCE
    assert connection.get_autocommit()
