"""Many sessions at once: one row, and everybody has its id; a change and a claim have one outcome; what dies holds nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from tests.integration.desk import Desk, execute, job, rows
from tests.integration.mutants import definition
from tests.integration.sessions import Aside, aside, at_once
from tests.integration.test_concurrency import mutated
from tests.uniqueness.test_holding import ENQUEUE, REPLACE, RULES, due_now, under
from youtility_tasks import Task, Unique, enqueue_many
from youtility_tasks.models import Job, UniqueKey

pytestmark = pytest.mark.usefixtures("committed")

SESSIONS, EACH = 40, 5


@pytest.fixture
def other() -> Iterator[Aside]:
    with aside() as session:
        yield session


@pytest.mark.parametrize(
    "rule",
    [*RULES.values(), Unique(on_conflict="replace"), Unique(period_s=60, while_="until_done", on_conflict="replace")],
    ids=repr,
)
def test_two_hundred_calls_at_once_are_one_job(report_task: Task, rule: Unique) -> None:
    task = under(report_task, rule)

    def call(number: int) -> list[tuple[str, bool]]:
        made = [task.enqueue(site_id=5) for _ in range(EACH)]
        return [(each.id, each.is_new) for each in made]

    answers = [each for some in at_once(SESSIONS, call) for each in some]

    assert len(answers) == 200
    (row,) = Job.objects.all()
    assert {job_id for job_id, _ in answers} == {str(row.pk)}
    assert [is_new for _, is_new in answers].count(True) == 1
    assert UniqueKey.objects.count() == (getattr(rule, "period_s", None) is not None)


def test_a_call_that_waited_for_the_taker_of_a_period_is_answered_with_its_job(report_task: Task, other: Aside) -> None:
    task = report_task.using(unique=Unique(period_s=60))

    def meet() -> tuple[bool, bool]:
        with transaction.atomic():
            first = task.enqueue()
            meanwhile = other.start(task.enqueue)
            other.until_it_waits()
        answer = meanwhile.result(10)
        execute("TRUNCATE procrastinate_jobs, youtility_tasks_uniquekey CASCADE")
        return answer.is_new, answer.id == first.id

    assert meet() == (False, True)
    with mutated(ENQUEUE, "\n                     WHERE k.held_until <= clock_timestamp()", ""):
        assert meet() == (True, False)


def test_workers_are_woken_for_a_job_that_is_due_sooner_than_it_was(ruled: Callable[..., Task]) -> None:
    task = ruled(unique=Unique(by="site_id", on_conflict="replace"))
    heard: list[str] = []

    def replaced_by_one_that_is_due() -> list[str]:
        task.using(run_after=timezone.now() + timedelta(hours=1)).enqueue(site_id=5)
        heard.clear()
        assert task.enqueue(site_id=5).is_replaced
        execute("TRUNCATE procrastinate_jobs CASCADE")
        return list(heard)

    execute('LISTEN "procrastinate_queue_v1#maintenance"')
    # A session hears its own as its transaction commits.
    connection.connection.add_notify_handler(lambda notify: heard.append(notify.channel))
    try:
        assert replaced_by_one_that_is_due() == ["procrastinate_queue_v1#maintenance"]
        with mutated(
            REPLACE,
            "IF coalesce(becomes.scheduled_at, '-infinity') <",
            "IF false AND coalesce(becomes.scheduled_at, '-infinity') <",
        ):
            assert replaced_by_one_that_is_due() == []
    finally:
        connection.close()


@pytest.mark.parametrize("rule", RULES.values(), ids=repr)
def test_batches_in_opposite_order_make_one_job_a_key(report_task: Task, rule: Unique) -> None:
    task = under(report_task, rule)
    calls = [{"site_id": n} for n in range(50)]

    def call(number: int) -> list[str]:
        results = enqueue_many(task, calls if number % 2 else calls[::-1])
        return [each.id for each in (results if number % 2 else results[::-1])]

    answers = at_once(8, call)

    assert Job.objects.count() == 50
    assert all(each == answers[0] for each in answers)


@pytest.mark.parametrize(
    "options", [{"while_": "waiting"}, {}, {"while_": "until_done"}, {"period_s": 60}], ids=lambda options: str(options)
)
def test_a_batch_takes_its_keys_in_order_and_so_never_waits_for_one_that_waits_for_it(
    report_task: Task, other: Aside, options: dict[str, Any]
) -> None:
    task = report_task.using(unique=Unique(key=lambda args: f"site {args['site_id']}", **options))

    def meet() -> list[bool]:
        with transaction.atomic():
            task.enqueue(site_id=1)
            batch = other.start(lambda: enqueue_many(task, [{"site_id": 2}, {"site_id": 1}]))
            other.until_it_waits()
            task.enqueue(site_id=2)
        answers = [each.is_new for each in batch.result(20)]
        execute("TRUNCATE procrastinate_jobs, youtility_tasks_uniquekey CASCADE")
        return answers

    assert meet() == [False, False]
    ordered = re.search(r"ORDER BY e\.value ->> 'period_key'.*?(?=\(e\.value ->> 'n'\))", definition(ENQUEUE), re.S)
    assert ordered is not None
    execute("SET deadlock_timeout = '20ms'")
    try:
        with mutated(ENQUEUE, ordered[0], "ORDER BY "), pytest.raises(OperationalError, match="deadlock detected"):
            meet()
    finally:
        execute("RESET deadlock_timeout")


def test_a_change_that_meets_a_claim_waits_for_it_and_leaves_it_alone(ruled: Callable[..., Task], other: Aside) -> None:
    plain = ruled()
    for rule, is_new in ((Unique(by="site_id", while_="waiting", on_conflict="replace"), True),
                         (Unique(by="site_id", on_conflict="replace"), False)):  # fmt: skip
        task = plain.using(unique=rule)
        desk = Desk()
        first = task.enqueue(site_id=5, reason="old")
        with transaction.atomic():
            held = desk.take()
            call = other.start(lambda task=task: task.enqueue(site_id=5, reason="new"))
            other.until_it_waits()

        answer = call.result(10)
        assert (answer.is_new, answer.is_replaced, answer.id == first.id) == (is_new, False, not is_new)
        assert held.args["reason"] == job(first.id).args["reason"] == "old"
        execute("TRUNCATE procrastinate_jobs CASCADE")


def test_a_claim_that_meets_a_change_passes_it_by_and_takes_the_new_arguments(
    ruled: Callable[..., Task], other: Aside
) -> None:
    task = ruled(unique=Unique(by="site_id", while_="waiting", on_conflict="replace"))
    desk = Desk()
    first = task.enqueue(site_id=5, reason="old")
    with transaction.atomic():
        assert task.enqueue(site_id=5, reason="new").is_replaced
        assert other.do(desk.claim) == []

    held = desk.take()
    assert (held.id, held.args["reason"]) == (int(first.id), "new")


def test_a_window_that_is_moved_while_the_claim_looks_is_not_claimed(ruled: Callable[..., Task], other: Aside) -> None:
    task = ruled(debounce=30)
    desk = Desk()
    first = task.enqueue(site_id=5)
    due_now()
    with transaction.atomic():
        task.enqueue(site_id=5)
        assert other.do(desk.claim) == []

    assert desk.claim() == []
    assert job(first.id).status == "todo"


@pytest.mark.parametrize("rule", RULES.values(), ids=repr)
def test_a_call_whose_session_dies_before_its_commit_holds_nothing(
    report_task: Task, other: Aside, rule: Unique
) -> None:
    task = under(report_task, rule)

    def enqueue_and_stay() -> str:
        connection.set_autocommit(False)
        return task.enqueue(site_id=5).id

    lost = other.do(enqueue_and_stay)
    with aside() as third:
        meanwhile = third.start(lambda: task.enqueue(site_id=5))
        third.until_it_waits()
        execute("SELECT pg_terminate_backend(%s)", other.pid)
        made = meanwhile.result(10)

    assert made.is_new and made.id != lost
    assert [str(pk) for pk in Job.objects.values_list("pk", flat=True)] == [made.id]


@pytest.mark.parametrize("rule", RULES.values(), ids=repr)
@pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE"])
def test_under_stricter_isolation_a_key_that_was_taken_since_is_a_serialization_failure(
    report_task: Task, other: Aside, rule: Unique, level: str
) -> None:
    task = under(report_task, rule)
    with pytest.raises(OperationalError) as failure, transaction.atomic():
        execute(f"SET TRANSACTION ISOLATION LEVEL {level}")
        rows("SELECT 1 FROM procrastinate_jobs")  # its snapshot
        other.do(lambda: task.enqueue(site_id=5))
        task.enqueue(site_id=5)
    assert failure.value.__cause__.sqlstate == "40001"  # type: ignore[union-attr]

    with transaction.atomic():
        execute(f"SET TRANSACTION ISOLATION LEVEL {level}")
        assert not task.enqueue(site_id=5).is_new, "once more, and it sees it"
    assert Job.objects.count() == 1
