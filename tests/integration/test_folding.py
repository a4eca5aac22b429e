"""Ended attempts are added to their minutes, hours and totals: each once, whenever its transaction commits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction

from tests.integration.attempts import ended, in_hours, in_minutes, in_totals, must_catch, mutant, read, step
from tests.integration.desk import execute, rows
from tests.integration.sessions import aside, at_once
from youtility_tasks import metrics
from youtility_tasks.models import MetricsMark, TaskPerformanceMetrics
from youtility_tasks.upkeep import duties, rollup

pytestmark = pytest.mark.usefixtures("committed")


def test_each_attempt_is_in_its_minute_its_hour_and_the_totals_once() -> None:
    ended(3, wait_ms=5)
    ended(2, ago_s=3_700, outcome="retry", wait_ms=None, run_ms=40)
    ended(1, tenant_id=8)

    assert rollup.fold() == (6, True)
    assert rollup.fold() == (0, True)

    assert (in_minutes(), in_hours(), in_totals()) == (6, 6, 6)
    retried = TaskPerformanceMetrics.objects.get(resolution_s=60, outcome="retry")
    assert (retried.attempt_count, retried.retried_count, retried.dead_letter_count) == (2, 2, 0)
    assert (retried.wait_count, retried.wait_buckets, retried.run_count, retried.run_sum_ms) == (0, [], 2, 80)
    assert retried.begins_at.second == 0


def test_a_second_fold_adds_to_the_rows_of_the_first() -> None:
    ended(2, wait_ms=4, run_ms=1)
    rollup.fold()
    ended(1, wait_ms=16, run_ms=3)
    rollup.fold()

    hour = TaskPerformanceMetrics.objects.get(resolution_s=3600)
    assert (hour.attempt_count, hour.wait_sum_ms, hour.wait_min_ms, hour.wait_max_ms) == (3, 24, 4, 16)
    assert dict(zip(hour.wait_buckets, hour.wait_counts, strict=True)) == {16: 2, 32: 1}
    assert (hour.run_count, hour.run_max_ms) == (3, 3)


def test_what_is_read_is_the_same_before_and_after_it_was_folded() -> None:
    now = metrics.database_clock()
    span: Any = {"since": now - timedelta(hours=30), "until": now + timedelta(minutes=1)}
    for n, ago_s in enumerate((0, 50, 3_000, 40_000, 80_000)):
        ended(
            n + 1,
            ago_s=ago_s,
            wait_ms=3.0**n,
            run_ms=n or None,
            tenant_id=7 + n % 2,
            outcome=("succeeded", "failed")[n % 2],
        )
    asked: list[Callable[[], Any]] = [
        *(lambda by=by: metrics.summary(**span, by=by) for by in (None, *metrics.GROUPS)),
        *(lambda by=by: metrics.series(**span, step_s=600, group_by=by) for by in (None, *metrics.GROUPS)),
        lambda: metrics.summary(**span, tenant_id=8),
    ]

    before = [ask() for ask in asked]
    rollup.fold()

    assert [ask() for ask in asked] == before
    assert before[0][0].attempt_count == 15


def commits_late() -> None:
    """An attempt is written, others come and are folded, and only then it commits."""
    with aside() as slow:
        slow.do(lambda: execute("BEGIN"))
        slow.do(lambda: ended(ago_s=30))
        ended(2)
        rollup.fold()
        assert (in_totals(), read()) == (2, 2)
        ended(4)
        rollup.fold()
        slow.do(lambda: execute("COMMIT"))
    assert read() == 7  # from the history, as it is in no minute yet
    ended(8)
    rollup.fold()
    assert (in_minutes(), in_hours(), in_totals(), read()) == (15, 15, 15, 15)


def test_an_attempt_that_commits_late_is_added_then() -> None:
    commits_late()


@pytest.mark.parametrize(
    ("guard", "instead"),
    [
        (" OR h.written_in = ANY (%L::xid8[]))", " OR %L IS NULL)"),
        (" AND h.written_in <> ALL (%L::xid8[])", " AND %L IS NOT NULL"),
        ("SELECT pg_snapshot_xip(seen) UNION ", ""),
    ],
)
def test_without_a_guard_it_is_missed_or_added_twice(guard: str, instead: str) -> None:
    if "<> ALL" in guard:
        must_catch(commits_between, guard, instead)
    else:
        must_catch(commits_late, guard, instead)


def commits_between() -> None:
    """An attempt commits after the fold has looked which transactions are open, and before it reads: it is the next fold's."""
    with aside() as slow, aside() as folding:
        slow.do(lambda: execute("BEGIN"))
        slow.do(ended)
        ended(2)
        # Whoever holds this lets no fold past its look.
        execute("SELECT pg_advisory_lock(29)")
        waits = "PERFORM set_config('lock_timeout', '0', true), pg_advisory_lock(29), pg_advisory_unlock(29);"
        with mutant("is_all := true;", f"{waits} is_all := true;"), held():
            begun = folding.start(rollup.fold)
            folding.until_it_waits()
            slow.do(lambda: execute("COMMIT"))
            execute("SELECT pg_advisory_unlock(29)")
            begun.result(10)
        assert in_totals() == 2
    rollup.fold()
    assert (in_totals(), read()) == (3, 3)


@contextmanager
def held() -> Iterator[None]:
    """However the block ends, nobody goes on waiting for the lock."""
    try:
        yield
    finally:
        execute("SELECT pg_advisory_unlock_all()")


def two_at_once() -> None:
    """A second fold finds the first at work and leaves it."""
    ended(5)
    with aside() as first, aside() as second:
        first.do(lambda: execute("BEGIN"))
        assert first.do(rollup.fold)[0] == 5
        assert second.do(rollup.fold) == (0, True)
        first.do(lambda: execute("COMMIT"))
    assert in_totals() == 5


def test_while_one_folds_others_leave_it_alone() -> None:
    must_catch(two_at_once, " FOR UPDATE SKIP LOCKED", "")


def test_many_workers_add_each_attempt_once() -> None:
    for _ in range(20):
        ended(5)

    at_once(6, lambda _: rollup.fold(batch=10))
    rollup.fold()

    assert (in_minutes(), in_hours(), in_totals()) == (100, 100, 100)


def test_a_fold_that_is_undone_is_done_again() -> None:
    ended(5)

    with pytest.raises(ZeroDivisionError), transaction.atomic():
        rollup.fold()
        assert in_totals() == 5
        raise ZeroDivisionError

    assert (in_totals(), read()) == (0, 5)
    assert rollup.fold() == (5, True)


def test_what_a_transaction_writes_and_folds_itself_is_folded_once_it_has_committed() -> None:
    with transaction.atomic():
        ended(3)
        rollup.fold()
        assert (in_totals(), read()) == (0, 3)
    rollup.fold()
    assert (in_totals(), read()) == (3, 3)


def catches_up_in_steps() -> None:
    before = in_totals()
    for _ in range(9):
        ended(4)
    ended(50)
    ended(4)
    sizes = []
    is_all = False
    while not is_all:
        added, is_all = step(10)
        sizes.append(added)
        assert read() == 90
    assert sum(sizes) == in_totals() - before == 90
    assert max(sizes) == 50  # a transaction is not divided
    assert sorted(sizes)[-2] <= 10
    assert MetricsMark.objects.get().folded_at > metrics.database_clock() - timedelta(minutes=1)


def test_after_a_long_time_it_catches_up_in_steps() -> None:
    rollup.fold()  # what is past has been gone through
    execute("UPDATE youtility_tasks_metricsmark SET folded_at = clock_timestamp() - interval '3 days'")
    ended(2, ago_s=3 * 86_400)
    ended(2, ago_s=86_400)
    assert rollup.fold()[0] == 4
    catches_up_in_steps()


def test_without_its_bound_a_step_takes_everything() -> None:
    rollup.fold()
    must_catch(catches_up_in_steps, "cut := greatest(over, least_one + 1);", "")


def test_while_it_is_behind_it_looks_as_far_back_as_it_was_complete() -> None:
    rollup.fold()
    execute("UPDATE youtility_tasks_metricsmark SET folded_at = clock_timestamp() - interval '3 days'")

    def check() -> None:
        before = MetricsMark.objects.get().folded_at
        ended(20)
        ended(20)
        assert step(5) == (20, False)
        assert MetricsMark.objects.get().folded_at == before

    check()
    with mutant("CASE WHEN is_all THEN began ELSE m.folded_at END", "began"), pytest.raises(AssertionError):
        check()


def test_it_is_a_duty_of_upkeep() -> None:
    ended(3)
    try:
        assert duties.run_due()["fold metrics"] == 3
    finally:
        execute("TRUNCATE youtility_tasks_upkeepduty")
        for part, _ in rows("SELECT part::text, day FROM youtility_tasks_history_days_v1()"):
            execute(f"DROP TABLE {part}")
    assert in_totals() == 3
