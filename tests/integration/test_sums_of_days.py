"""Days of sums say what their hours say, are read in their place, and are made anew when something is added to an hour of theirs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.integration.attempts import ended, must_catch
from tests.integration.desk import execute, rows
from tests.integration.sessions import aside
from tests.integration.test_reading_numbers import some_days
from youtility_tasks import metrics
from youtility_tasks.upkeep import duties, rollup

pytestmark = pytest.mark.usefixtures("committed")

DAYS = "SELECT count(*) FROM youtility_tasks_metricssum WHERE resolution_s = 0"


def sum_days() -> int:
    """Add up every day with hours, today too; how many."""
    the_day_after = metrics.database_clock() + timedelta(days=2)
    for n in range(10):
        if rollup.sum_day(the_day_after)[1]:
            return n
    raise AssertionError("There is always one more.")


def told() -> list[Any]:
    """What a few days are for everybody and for a tenant, as a whole and told apart; and each day of them."""
    now = metrics.database_clock()
    until = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    found: list[Any] = []
    for whose in ({}, {"tenant_id": 7}):
        for only in ({}, {"queue_name": "email"}, {"task_name": "told"}):
            words: dict[str, Any] = {"since": until - timedelta(days=3), "until": until, **whose, **only}
            found += [metrics.summary(**words, by=by) for by in (None, "queue", "task", "outcome")]
            found.append(metrics.series(**words, step_s=86_400))
    return [
        (each.counts, each.attempt_count, each.failed_count, each.wait_p95_ms, each.run_max_ms, round(each.cpu_sum_ms, 3))
        for some in found for each in some
    ]  # fmt: skip


def test_a_span_is_read_from_days_and_says_what_its_hours_say() -> None:
    some_days(11)
    before = told()

    assert sum_days() >= 1
    assert told() == before
    rollup.fold()
    sum_days()
    assert told() == before

    execute("DELETE FROM youtility_tasks_metricssum WHERE resolution_s = 3600")
    execute("DELETE FROM youtility_tasks_taskperformancemetrics WHERE resolution_s = 3600")
    assert told() == before
    execute("DELETE FROM youtility_tasks_metricssum WHERE resolution_s = 0")
    assert told() != before


def test_what_is_added_to_an_hour_later_is_in_its_day() -> None:
    def check() -> None:
        some_days(12)
        rollup.fold()
        sum_days()
        ended(5, ago_s=20_000)
        assert rollup.fold()[0] >= 5
        before = [each[0] for each in told()]
        execute("DELETE FROM youtility_tasks_metricssum WHERE resolution_s = 0")
        assert [each[0] for each in told()] == before

    must_catch(check, "WHERE d.resolution_s = 0", "WHERE d.resolution_s = -1", "youtility_tasks_add_attempts_v1")


def test_a_day_that_is_not_over_is_not_added_up() -> None:
    ended(3)
    rollup.fold()

    assert rollup.sum_day(metrics.database_clock()) == (0, True)
    assert rows(DAYS) == [(0,)]


def test_upkeep_adds_up_a_day_that_is_over() -> None:
    ended(3)
    rollup.fold()
    for table in ("taskperformancemetrics", "metricssum"):
        execute(f"UPDATE youtility_tasks_{table} SET begins_at = begins_at - interval '2 days'")

    try:
        assert duties.run_due()["sum days"] == 1
    finally:
        execute("TRUNCATE youtility_tasks_upkeepduty")
        for part, _ in rows("SELECT part::text, day FROM youtility_tasks_history_days_v1()"):
            execute(f"DROP TABLE {part}")
    ((count,),) = rows(DAYS)
    assert count == 6  # of all and of the tenant: everything, its queue, its task


def test_no_day_is_added_up_while_somebody_folds() -> None:
    """Its hours might grow between the reading and the writing."""

    def check() -> None:
        some_days(13)
        rollup.fold()
        with aside() as folding:
            folding.do(lambda: execute("BEGIN"))
            folding.do(lambda: execute("SELECT FROM youtility_tasks_metricsmark FOR UPDATE"))
            assert sum_days() == 0
            folding.do(lambda: execute("ROLLBACK"))
        assert sum_days() >= 1

    must_catch(check, "FOR UPDATE SKIP LOCKED", "", "youtility_tasks_sum_day_v1")


def test_old_days_go_with_their_hours() -> None:
    some_days(14)
    rollup.fold()
    sum_days()
    execute("UPDATE youtility_tasks_metricssum SET begins_at = begins_at - interval '500 days' WHERE resolution_s = 0")

    rollup.prune(metrics.database_clock(), dry_run=False)

    assert rows(DAYS) == [(0,)]
