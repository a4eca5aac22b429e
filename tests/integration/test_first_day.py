"""A day of the history is made while jobs end in it: they wait for a moment, and each has its row in the day."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import pytest
from django.db import IntegrityError, transaction

from tests.integration.desk import Desk, execute, rows
from tests.integration.mutants import definition
from tests.integration.sessions import Aside, aside, at_once
from youtility_tasks import Task, apps, enqueue_many, metrics
from youtility_tasks.models import TaskExecutionHistory
from youtility_tasks.upkeep import history_days

MAKE_TODAY = "SELECT youtility_tasks_add_history_day_v1((clock_timestamp() AT TIME ZONE 'UTC')::date)"
LOCK = "LOCK TABLE ONLY youtility_tasks_history IN ACCESS EXCLUSIVE MODE;"


def work(*, number: int = 0) -> None:
    return None


@pytest.fixture
def work_task(declare: Callable[..., Task]) -> Task:
    return declare(work, tenant="all")


@pytest.fixture
def no_days(committed: None) -> Iterator[None]:
    drop_days()
    yield
    drop_days()
    execute("TRUNCATE youtility_tasks_upkeepduty")


@pytest.fixture
def other() -> Iterator[Aside]:
    with aside() as session:
        yield session


def drop_days() -> None:
    for (part,) in rows("SELECT part::text FROM youtility_tasks_history_days_v1()"):
        execute(f"DROP TABLE {part}")


def rows_in_default() -> int:
    ((count,),) = rows("SELECT count(*)::integer FROM youtility_tasks_history_default")
    return int(count)


def end_a_job_while_its_day_is_made(work_task: Task, other: Aside) -> bool:
    """Whether its end was accepted."""
    work_task.enqueue(number=1)
    desk = Desk()
    job = desk.take()
    with transaction.atomic():
        assert rows(MAKE_TODAY) == [(0,)]
        ended = other.start(lambda: desk.finish(job, "succeeded"))
        other.until_it_waits()
    return bool(ended.result(10))


def test_a_job_that_ends_while_its_day_is_made_has_its_row_there(no_days: None, work_task: Task, other: Aside) -> None:
    assert end_a_job_while_its_day_is_made(work_task, other)

    assert (TaskExecutionHistory.objects.count(), rows_in_default()) == (1, 0)


def test_without_the_tables_lock_such_a_job_fails(no_days: None, work_task: Task, other: Aside) -> None:
    original = definition("youtility_tasks_add_history_day_v1")
    assert LOCK in original
    execute(original.replace(LOCK, "NULL;").replace("%", "%%"))
    try:
        with pytest.raises(IntegrityError, match="violates partition constraint"):
            end_a_job_while_its_day_is_made(work_task, other)
    finally:
        execute(original.replace("%", "%%"))


def test_a_row_that_was_on_its_way_first_is_moved(no_days: None, work_task: Task, other: Aside) -> None:
    work_task.enqueue(number=1)
    desk = Desk()
    job = desk.take()
    with transaction.atomic():
        assert desk.finish(job, "succeeded")
        made = other.start(lambda: rows(MAKE_TODAY))
        other.until_it_waits()

    assert made.result(10) == [(1,)]
    assert (TaskExecutionHistory.objects.count(), rows_in_default()) == (1, 0)


def test_a_day_that_has_not_begun_is_made_beside_all_that_end(no_days: None, work_task: Task, other: Aside) -> None:
    work_task.enqueue(number=1)
    desk = Desk()
    job = desk.take()
    rows(MAKE_TODAY)
    with transaction.atomic():
        assert rows(MAKE_TODAY.replace("::date", "::date + 1")) == [(0,)]

        assert other.do(lambda: desk.finish(job, "succeeded"))


def test_whoever_migrates_makes_the_days_unless_somebody_reads(
    no_days: None, other: Aside, caplog: pytest.LogCaptureFixture
) -> None:
    """Then a worker will; the migrations are done all the same."""
    with transaction.atomic():
        rows_in_default()
        other.do(lambda: apps._make_first_days("default", ["a step"]))
    assert "history days not made error=canceling statement due to lock timeout" in caplog.text

    apps._make_first_days("default", [])  # as after each flush
    apps._make_first_days("elsewhere", ["a step"])
    assert history_days.missing_days(metrics.database_clock()) != []
    apps._make_first_days("default", ["a step"])
    assert history_days.missing_days(metrics.database_clock()) == []


@pytest.mark.parametrize("round_", range(5))
def test_a_crowd_that_ends_and_reads_and_makes_days_at_once_loses_nothing(
    no_days: None, work_task: Task, round_: int
) -> None:
    enqueue_many(work_task, [{"number": n} for n in range(60)])
    desks = [Desk() for _ in range(3)]
    held = [desk.claim(20) for desk in desks]

    def make() -> int:
        return history_days.make_days(metrics.database_clock())

    def read_and_write() -> None:
        for _ in range(20):
            with transaction.atomic():
                TaskExecutionHistory.objects.count()
                execute("INSERT INTO youtility_tasks_history SELECT * FROM youtility_tasks_history WHERE false")

    def end(number: int) -> int:
        return sum(desks[number].finish(job, "succeeded") for job in held[number])

    made_1, made_2, _, *ended = at_once(
        6, lambda n: [make, make, read_and_write, *[partial(end, k) for k in range(3)]][n]()
    )

    assert ended == [20, 20, 20]
    assert made_1 + made_2 + make() == 8
    assert (TaskExecutionHistory.objects.count(), rows_in_default()) == (60, 0)
