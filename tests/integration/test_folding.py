"""Ended attempts are added to their minutes, hours and totals: each once, whenever its transaction commits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import Error, connection, transaction

from tests.integration.desk import execute, rows
from tests.integration.mutants import definition
from tests.integration.sessions import aside, at_once
from youtility_tasks import metrics, queries
from youtility_tasks.models import MetricsMark, MetricsTotal, TaskPerformanceMetrics, Tenant
from youtility_tasks.upkeep import duties, rollup

pytestmark = pytest.mark.usefixtures("committed")


def ended(
    n: int = 1,
    *,
    ago_s: float = 0,
    task_name: str = "add",
    queue_name: str = "email",
    tenant_id: int = 7,
    outcome: str = "succeeded",
    wait_ms: float | None = 10,
    run_ms: float | None = 20,
) -> None:
    """Attempts that ended so long ago, in a transaction of their own unless the caller has one."""
    status = "succeeded" if outcome == "succeeded" else "cancelled" if outcome == "cancelled" else "failed"
    execute(
        "INSERT INTO youtility_tasks_history (job_id, task_name, queue_name, tenant_id, priority, attempt, claim_number, enqueued_at,"
        " finished_at, status, outcome, is_final, wait_ms, run_ms)"
        " SELECT n, %s, %s, %s, 5, 1, 1, now(), clock_timestamp() - %s * interval '1 second', %s, %s, %s, %s, %s FROM generate_series(1, %s) n",
        task_name, queue_name, tenant_id, ago_s, status, outcome, outcome != "retry", wait_ms, run_ms, n,
    )  # fmt: skip


def in_minutes() -> int:
    return sum(TaskPerformanceMetrics.objects.filter(resolution_s=60).values_list("attempt_count", flat=True))


def in_hours() -> int:
    return sum(TaskPerformanceMetrics.objects.filter(resolution_s=3600).values_list("attempt_count", flat=True))


def in_totals() -> int:
    return sum(MetricsTotal.objects.values_list("attempt_count", flat=True))


def read(hours: float = 1, **more: Any) -> int:
    now = metrics.database_clock()
    return metrics.summary(since=now - timedelta(hours=hours), until=now + timedelta(minutes=1), **more)[
        0
    ].attempt_count


@contextmanager
def mutant(guard: str, instead: str, function: str = "youtility_tasks_fold_v1") -> Iterator[None]:
    """The function without its guard, for all sessions."""
    original = definition(function)
    assert guard in original, f"{function} has no {guard!r}"
    execute(original.replace(guard, instead).replace("%", "%%"))
    try:
        yield
    finally:
        execute(original.replace("%", "%%"))


def must_catch(check: Callable[[], None], guard: str, instead: str, function: str = "youtility_tasks_fold_v1") -> None:
    """`check` passes; and fails without the guard."""
    check()
    rollup.fold()
    execute("TRUNCATE youtility_tasks_history, youtility_tasks_taskperformancemetrics, youtility_tasks_metricstotal")
    with mutant(guard, instead, function), pytest.raises((AssertionError, Error)):
        check()


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
        with (
            mutant("is_all := true;", "PERFORM pg_advisory_lock(29); PERFORM pg_advisory_unlock(29); is_all := true;"),
            held(),
        ):
            execute("SELECT set_config('lock_timeout', '0', false)")
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


def step(most: int) -> tuple[int, bool]:
    """One call, as a fold makes them until there is no more."""
    names = '{"tasks": [], "queues": [], "tenants": [], "most": 9, "minute_days": 9, "hour_days": 9}'
    ((added, is_all),) = queries.fetch("fold_metrics", {"most": most, "late_s": 86_400, "names": names})
    return added, is_all


def catches_up_in_steps() -> None:
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
    assert sum(sizes) == in_totals() == 90
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


def test_an_attempt_that_commits_later_than_the_setting_says_is_not_looked_for(settings: Any) -> None:
    settings.YOUTILITY_TASKS = {"metrics_late_hours": 2.0}
    rollup.fold()
    ended(2, ago_s=3_600)
    ended(1, ago_s=3 * 3_600)

    assert rollup.fold()[0] == 2
    assert (in_totals(), read(hours=5)) == (2, 2)


def test_old_attempts_make_no_minute_or_hour_that_would_be_removed_at_once(settings: Any) -> None:
    settings.YOUTILITY_TASKS = {"metrics_late_hours": 24 * 50.0, "metrics_minute_days": 1, "metrics_hour_days": 30}
    ended(1, ago_s=3_600)
    ended(2, ago_s=2 * 86_400)
    ended(4, ago_s=40 * 86_400)

    rollup.fold()

    assert (in_minutes(), in_hours(), in_totals()) == (1, 3, 7)


def test_minutes_and_hours_go_after_their_time_and_totals_stay(settings: Any) -> None:
    for ago_s in (3_600, 2 * 86_400, 20 * 86_400):
        ended(1, ago_s=ago_s)
    settings.YOUTILITY_TASKS = {"metrics_late_hours": 24 * 50.0, "metrics_minute_days": 30}
    rollup.fold()
    settings.YOUTILITY_TASKS = {"metrics_minute_days": 1, "metrics_hour_days": 10}
    now = metrics.database_clock()

    assert rollup.prune(now, dry_run=True) == {"minutes": 2, "hours": 1}
    assert (in_minutes(), in_hours()) == (3, 3)
    assert rollup.remove_old(now) == (3, True)

    assert (in_minutes(), in_hours(), in_totals()) == (1, 2, 3)


def test_the_history_may_move_or_go_and_nothing_is_added_again() -> None:
    today = metrics.database_clock().date()
    execute("DELETE FROM youtility_tasks_metricsmark")
    ended(3)
    rollup.fold()
    ended(2)
    try:
        assert rows("SELECT youtility_tasks_add_history_day_v1(%s)", today) == [(5,)]
        assert (rollup.fold()[0], read()) == (2, 5)
        execute(
            "INSERT INTO procrastinate_jobs (id, queue_name, task_name, args, status) OVERRIDING SYSTEM VALUE VALUES (1, 'email', 'add', '{}', 'failed')"
        )
        assert rows("SELECT youtility_tasks_drop_history_day_v1(%s)", today) == [(True,)]
        assert rows("SELECT count(*) FROM youtility_tasks_history") == [(2,)]
        assert (rollup.fold()[0], in_totals(), read()) == (0, 5, 5)
    finally:
        execute(f"DROP TABLE IF EXISTS youtility_tasks_history_{today:%Y%m%d}")


def test_a_copy_on_another_server_goes_on_where_the_numbers_were() -> None:
    """Its transactions begin at a lower number than those that are stored, or at a higher one."""

    def check(shift: int) -> None:
        before = in_totals()
        ended(3)
        rollup.fold()
        with aside() as slow:
            slow.do(lambda: execute("BEGIN"))
            slow.do(lambda: ended(1))
            ended(2)
            rollup.fold()
            slow.do(lambda: execute("COMMIT"))
        ended(4)  # neither was in the numbers when the copy was made
        execute("UPDATE youtility_tasks_history SET written_in = (written_in::text::bigint + %s)::text::xid8", shift)
        execute(
            "UPDATE youtility_tasks_metricsmark SET system_id = 1, upto = upto + %s, open = ARRAY(SELECT o + %s FROM unnest(open) o)",
            shift, shift,
        )  # fmt: skip
        ended(5)
        for _ in range(3):
            rollup.fold()
        ended(6)
        for _ in range(3):
            rollup.fold()
        assert in_totals() - before == 21
        assert read() == 21 + before

    check(1_000_000)
    check(-100)
    with (
        mutant(
            "UPDATE youtility_tasks_history h SET written_in = NULL", "UPDATE youtility_tasks_history h SET host = ''''"
        ),
        pytest.raises(AssertionError),
    ):
        check(1_000_000)
    with mutant("mark.base_id := mark.last_id;", ""), pytest.raises(AssertionError):
        check(2_000_000)


def test_what_was_written_before_there_were_numbers_is_added_backwards_and_not_to_the_totals() -> None:
    for day in range(3):
        for n in range(7):
            ended(1, ago_s=day * 86_400 + n * 60)
    execute("UPDATE youtility_tasks_history SET written_in = NULL")
    execute("UPDATE youtility_tasks_metricsmark SET past_at = clock_timestamp(), past_id = 9223372036854775807")
    call = {
        "most": 5,
        "names": '{"tasks": [], "queues": [], "tenants": [], "most": 9, "minute_days": 9, "hour_days": 9}',
    }

    sizes, newest = [], []
    is_all = False
    while not is_all:
        ((added, is_all),) = queries.fetch("fold_past_metrics", call)
        sizes.append(added)
        newest.append(TaskPerformanceMetrics.objects.earliest("begins_at").begins_at)

    assert max(sizes) <= 5
    assert sum(sizes) == 21
    assert newest == sorted(newest, reverse=True)
    assert (in_minutes(), in_hours(), in_totals(), read(hours=100)) == (21, 21, 0, 21)
    assert queries.fetch("fold_past_metrics", call) == [(0, True)]


def test_totals_tell_the_tasks_of_this_code_apart_and_no_others(add_task: Any, settings: Any) -> None:
    settings.YOUTILITY_TASKS = {"metrics_names": 1_000}
    ended(1, task_name="add")
    execute(
        "INSERT INTO youtility_tasks_history (job_id, task_name, queue_name, tenant_id, priority, attempt, claim_number, enqueued_at,"
        " finished_at, status, outcome, is_final) SELECT n, 'hostile ' || n, 'queue ' || n, 7, 5, 1, 1, now(), now(), 'succeeded', 'succeeded', true"
        " FROM generate_series(1, 2000) n"
    )

    rollup.fold()
    settings.YOUTILITY_TASKS = {"metrics_names": 1}  # what has been told apart stays so: its counter would fall
    ended(1, task_name="add")
    rollup.fold()

    assert sorted(MetricsTotal.objects.values_list("task_name", "queue_name", "attempt_count")) == [
        ("add", "email", 2),
        ("other", "other", 2_000),
    ]


def test_totals_tell_tenants_apart_only_if_a_setting_says_so_and_so_many(settings: Any) -> None:
    for tenant_id in (3, 4, 5):
        Tenant.objects.create(id=tenant_id, name="x")
        ended(tenant_id, tenant_id=tenant_id)
    rollup.fold()
    assert list(MetricsTotal.objects.values_list("tenant", "attempt_count")) == [("", 12)]

    settings.YOUTILITY_TASKS = {"metrics_tenants": 2}
    for tenant_id in (3, 4, 5):
        ended(tenant_id, tenant_id=tenant_id)
    rollup.fold()

    assert sorted(MetricsTotal.objects.values_list("tenant", "attempt_count")) == [
        ("", 12),
        ("3", 3),
        ("4", 4),
        ("other", 5),
    ]


def test_a_fold_reads_what_is_new_and_not_what_there_is() -> None:
    ended(40_000, ago_s=600)
    rollup.fold()
    execute("ANALYZE youtility_tasks_history")

    def pages() -> int:
        ended(10)
        call = {
            "most": 20_000,
            "late_s": 86_400,
            "names": '{"tasks": [], "queues": [], "tenants": [], "most": 9, "minute_days": 9, "hour_days": 9}',
        }
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {queries.statement('fold_metrics')}", call)
            (((plan,),),) = (cursor.fetchall(),)
        return int(plan[0]["Plan"]["Shared Hit Blocks"] + plan[0]["Plan"]["Shared Read Blocks"])

    pages()
    small = min(pages() for _ in range(3))
    ended(40_000, ago_s=600)
    rollup.fold()
    pages()

    assert min(pages() for _ in range(3)) < small * 1.5
    with mutant(" AND h.written_in >= %L::xid8'", " AND coalesce(h.written_in, ''0'') >= %L::xid8'"):
        assert min(pages() for _ in range(2)) > small * 1.5


def test_it_is_a_duty_of_upkeep() -> None:
    ended(3)
    try:
        assert duties.run_due()["fold metrics"] == 3
    finally:
        execute("TRUNCATE youtility_tasks_upkeepduty")
        for part, _ in rows("SELECT part::text, day FROM youtility_tasks_history_days_v1()"):
            execute(f"DROP TABLE {part}")
    assert in_totals() == 3


def test_without_a_mark_the_numbers_begin_anew() -> None:
    ended(3)
    rollup.fold()
    execute(
        "TRUNCATE youtility_tasks_metricsmark, youtility_tasks_taskperformancemetrics, youtility_tasks_metricstotal"
    )

    assert read() == 3
    rollup.fold()

    assert (in_minutes(), in_totals(), read()) == (3, 3, 3)


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)
