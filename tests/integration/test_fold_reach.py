"""How far a fold reaches: back in time, over moved and copied rows, into names; what it costs, and what goes again."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection

from tests.integration.attempts import ended, in_hours, in_minutes, in_totals, mutant, read, unnumbered
from tests.integration.desk import execute, rows
from tests.integration.sessions import aside
from youtility_tasks import metrics, queries
from youtility_tasks.models import MetricsTotal, TaskPerformanceMetrics, Tenant
from youtility_tasks.upkeep import rollup

pytestmark = pytest.mark.usefixtures("committed")


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
        before, numberless = in_totals(), unnumbered()
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
        # Only those lose their number that were new and that this server has yet to come to: few, as writers wait for it.
        assert unnumbered() - numberless == (4 if shift > 0 else 0)
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
    rollup.fold()  # the mark: tests that end with a flush leave none
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


def pages_of_a_fold() -> int:
    call = {
        "most": 20_000,
        "late_s": 86_400,
        "names": '{"tasks": [], "queues": [], "tenants": [], "most": 9, "minute_days": 9, "hour_days": 9}',
    }
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {queries.statement('fold_metrics')}", call)
        (((plan,),),) = (cursor.fetchall(),)
    return int(plan[0]["Plan"]["Shared Hit Blocks"] + plan[0]["Plan"]["Shared Read Blocks"])


def test_when_a_retried_job_was_due_first_is_asked_by_the_job_and_not_of_all_that_ended_lately() -> None:
    for _ in range(20):
        ended(2_000, ago_s=600)  # so that a job has many attempts, as statistics have it
    rollup.fold()
    execute("ANALYZE youtility_tasks_history")

    def pages() -> int:
        for number, ago_s, outcome in ((1, 900, "retry"), (2, 0, "succeeded")):
            execute(
                "INSERT INTO youtility_tasks_history (job_id, task_name, queue_name, tenant_id, priority, attempt, claim_number, enqueued_at,"
                " finished_at, status, outcome, is_final, wait_ms, run_ms) SELECT 1000000 + n, 'add', 'email', 7, 5, %s, 1, now() - interval '1 hour',"
                " now() - %s * interval '1 second', %s, %s, %s, 1, 1 FROM generate_series(1, 100) n",
                *(number, ago_s, "succeeded" if outcome == "succeeded" else "failed", outcome, outcome == "succeeded"),
            )
        return pages_of_a_fold()

    few = min(pages() for _ in range(2))
    with mutant(
        "f.finished_at >= h.enqueued_at AND (f.finished_at <= h.finished_at) IS TRUE",
        "f.finished_at BETWEEN h.enqueued_at AND h.finished_at",
        "youtility_tasks_add_attempts_v1",
    ):
        assert min(pages() for _ in range(2)) > few * 3


def test_a_fold_reads_what_is_new_and_not_what_there_is() -> None:
    ended(40_000, ago_s=600)
    rollup.fold()
    execute("ANALYZE youtility_tasks_history")

    def pages() -> int:
        ended(10)
        return pages_of_a_fold()

    pages()
    small = min(pages() for _ in range(3))
    ended(40_000, ago_s=600)
    rollup.fold()
    pages()

    assert min(pages() for _ in range(3)) < small * 1.5
    with mutant(" AND h.written_in >= %L::xid8'", " AND coalesce(h.written_in, ''0'') >= %L::xid8'"):
        assert min(pages() for _ in range(2)) > small * 1.5


def test_without_a_mark_the_numbers_begin_anew() -> None:
    ended(3)
    rollup.fold()
    execute(
        "TRUNCATE youtility_tasks_metricsmark, youtility_tasks_taskperformancemetrics, youtility_tasks_metricssum, youtility_tasks_metricstotal"
    )

    assert read() == 3
    rollup.fold()

    assert (in_minutes(), in_totals(), read()) == (3, 3, 3)
