"""What is asked of minutes and hours is what the history would say; and what cannot be answered is refused with a way out."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.integration.attempts import ended
from tests.integration.desk import execute, rows
from youtility_tasks import metrics
from youtility_tasks.errors import WrongSpan
from youtility_tasks.upkeep import rollup

pytestmark = pytest.mark.usefixtures("committed")

MINUTE = timedelta(minutes=1)


def some_days(seed: int) -> datetime:
    """Attempts of two days in two tenants, on two queues, the last of them not folded; the database's now."""
    dice = random.Random(seed)  # noqa: S311
    for n in range(120):
        if n == 100:
            rollup.fold()
        ended(
            dice.randint(1, 3),
            ago_s=dice.random() ** 3 * 86_000,
            queue_name=dice.choice(["email", "reports"]),
            task_name=dice.choice(["add", "told"]),
            tenant_id=dice.choice([7, 8]),
            outcome=dice.choice(["succeeded", "succeeded", "retry", "failed", "cancelled"]),
            wait_ms=dice.choice([None, dice.random() * 1_000]),
        )
    return metrics.database_clock()


def floor(instant: datetime, to: timedelta) -> datetime:
    return instant - (instant - datetime(1970, 1, 1, tzinfo=UTC)) % to


Attempts = list[tuple[datetime, str, dict[str, Any]]]


def history() -> Attempts:
    """When each attempt ended, its outcome, and whose it was."""
    found = rows("SELECT finished_at, outcome, tenant_id, queue_name, task_name FROM youtility_tasks_history")
    return [
        (at, outcome, {"tenant_id": tenant, "queue_name": queue, "task_name": task})
        for at, outcome, tenant, queue, task in found
    ]


def said_by(attempts: Attempts, since: datetime, until: datetime, **only: Any) -> dict[str, int]:
    return dict(
        Counter(outcome for at, outcome, whose in attempts if since <= at < until and only.items() <= whose.items())
    )


def test_any_span_is_what_the_history_says() -> None:
    now = some_days(1)
    dice, known = random.Random(2), history()  # noqa: S311
    for _ in range(40):
        since, until = sorted(now - timedelta(hours=25) * dice.random() for _ in range(2))
        since, until = floor(since, MINUTE), floor(until, MINUTE) + MINUTE
        only = dice.choice([{}, {"tenant_id": 7}, {"queue_name": "email"}, {"task_name": "told", "tenant_id": 8}])
        right = said_by(known, since, until, **only)

        (found,) = metrics.summary(since=since, until=until, **only)
        assert dict(found.counts) == right
        assert found.attempt_count == sum(right.values()) - right.get("cancelled", 0)
        step = MINUTE * dice.choice([1, 7, 60, 180])
        points = metrics.series(since=since, until=until, step_s=int(step.total_seconds()), **only)
        assert [dict(each.counts) for each in points] == [
            said_by(known, each.begins_at, each.begins_at + step, **only) for each in points
        ]


def test_a_span_inside_one_hour_ends_where_it_was_said_to() -> None:
    now = metrics.database_clock()
    hour = floor(now, 60 * MINUTE) - 180 * MINUTE
    for minute in (10, 40):
        ended(ago_s=(now - hour - minute * MINUTE).total_seconds())
    rollup.fold()
    for until, count in ((20, 1), (60, 2), (80, 2)):
        (found,) = metrics.summary(since=hour + 5 * MINUTE, until=hour + until * MINUTE)
        assert found.attempt_count == count


def test_hours_answer_once_minutes_are_gone(settings: Any) -> None:
    now = some_days(3)
    rollup.fold()
    settings.YOUTILITY_TASKS = {"metrics_minute_days": 1}
    for table in ("taskperformancemetrics", "metricssum"):
        execute(
            f"DELETE FROM youtility_tasks_{table} WHERE resolution_s = 60 AND begins_at < %s", now - timedelta(hours=20)
        )
        execute(f"UPDATE youtility_tasks_{table} SET begins_at = begins_at - interval '10 days'")
    execute("UPDATE youtility_tasks_history SET finished_at = finished_at - interval '10 days'")
    then, known = now - timedelta(days=10), history()
    since, until = (
        floor(then - timedelta(hours=25), timedelta(hours=1)),
        floor(then + timedelta(hours=1), timedelta(hours=1)),
    )

    for odd in (timedelta(), timedelta(minutes=17)):
        (found,) = metrics.summary(since=since + odd, until=until)
        assert dict(found.counts) == said_by(known, since, until)
        points = metrics.series(since=since + odd, until=until, step_s=7_200)
        assert [dict(each.counts) for each in points] == [
            said_by(known, each.begins_at, each.begins_at + timedelta(hours=2)) for each in points
        ]
    with pytest.raises(WrongSpan, match="minutes are kept for 1 days"):
        metrics.series(since=since, until=until, step_s=300)


def test_days_may_begin_at_any_minute() -> None:
    """Midnight in Kolkata is half past six in the evening."""
    now, known = some_days(4), history()
    midnight = floor(now - timedelta(hours=23), timedelta(hours=1)) + timedelta(minutes=30)

    points = metrics.series(since=midnight, until=now, step_s=12 * 3_600)

    assert [each.begins_at for each in points] == [midnight, midnight + timedelta(hours=12)]
    assert [dict(each.counts) for each in points] == [
        said_by(known, each.begins_at, each.begins_at + timedelta(hours=12)) for each in points
    ]


def test_a_series_has_every_step_of_every_group_and_one_of_nothing() -> None:
    now = metrics.database_clock()
    span: Any = {"since": floor(now, MINUTE) - timedelta(minutes=9), "until": floor(now, MINUTE) + MINUTE, "step_s": 60}
    assert [each.attempt_count for each in metrics.series(**span)] == [0] * 10
    assert metrics.series(**span, group_by="queue") == []

    ended(6, ago_s=0, queue_name="email")
    ended(1, ago_s=0, queue_name="reports", outcome="cancelled", wait_ms=None, run_ms=None)
    points = metrics.series(**{**span, "until": now + timedelta(minutes=2)}, group_by="queue")

    assert [each.group for each in points] == ["email"] * 12 + ["reports"] * 12
    (busy,) = [each for each in points if each.attempt_count]
    assert (busy.per_s, busy.wait_p95_ms, busy.run_max_ms, busy.run_mean_ms, busy.failed_count) == (0.1, 10, 20, 20, 0)
    (gone,) = [each for each in points if each.counts.get("cancelled")]
    assert (gone.group, gone.attempt_count, gone.run_p50_ms) == ("reports", 0, None)


NOW = datetime(2026, 5, 20, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ({"step_s": 30}, "whole minutes"),
        ({"step_s": 90}, "whole minutes"),
        ({"step_s": -60}, "whole minutes"),
        ({"since": NOW, "until": NOW}, "is no span"),
        ({"since": NOW, "until": NOW - MINUTE}, "is no span"),
        ({"since": datetime(2026, 5, 20)}, "names no zone"),
        ({"group_by": "queues"}, "Did you mean 'queue'"),
        ({"since": NOW - timedelta(days=4_000), "step_s": 3_600}, "at most 5000"),
        ({"since": NOW.replace(year=1)}, "is longer than"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_what_is_right(words: dict[str, Any], says: str) -> None:
    with pytest.raises(WrongSpan, match=says):
        metrics.series(**{"since": NOW - timedelta(hours=1), "until": NOW, "step_s": 60, **words})


def test_the_last_hour_is_asked_for_once_and_told_in_three_ways() -> None:
    ended(3, ago_s=60, wait_ms=4)
    ended(2, ago_s=60, queue_name="reports", wait_ms=64, outcome="failed")
    ended(1, ago_s=60, queue_name="maintenance", outcome="cancelled")
    ended(9, ago_s=2 * 3_600)

    whole, by_queue, by_task = metrics.last_hour()

    assert (whole.attempt_count, whole.failed_count, whole.wait_max_ms) == (5, 2, 64)
    assert whole.wait_p50_ms == pytest.approx(4, rel=0.05)
    assert {name: each.attempt_count for name, each in by_queue.items()} == {"email": 3, "reports": 2}
    assert [(each.queue_name, each.task_name, each.attempt_count) for each in by_task] == [
        ("email", "add", 3),
        ("reports", "add", 2),
    ]
