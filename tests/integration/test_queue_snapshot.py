"""How the queues stand, for pages beside a crowd: counted now while that is quick, else as upkeep counted them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from youtility_tasks import Task, metrics, queries, roster, tenant
from youtility_tasks.metrics import present
from youtility_tasks.models import QueueSnapshot, SnapshotMark


def nothing() -> None:
    """Do nothing."""


@pytest.fixture
def waiting(db: None, declare: Callable[..., Task]) -> Task:
    roster.add(7, "Acme")
    roster.add(8, "Other")
    made = declare(nothing, name="noop", queue_name="email")
    with tenant(7):
        for _ in range(3):
            made.enqueue()
        made.using(run_after=timezone.now() + timedelta(hours=1)).enqueue()
    with tenant(8):
        made.enqueue()
    return made


def count() -> int | None:
    SnapshotMark.objects.update(taken_at=timezone.now() - timedelta(hours=1))
    return queries.fetch("count_queues", {})[0][0]  # type: ignore[no-any-return]


def email(tenant_id: int | None = None) -> tuple[int, int]:
    found = next(each for each in metrics.glance(tenant_id=tenant_id) if each.queue_name == "email")
    return found.todo, found.scheduled


def test_counting_is_quick_so_a_page_counts_for_itself(waiting: Task) -> None:
    assert count() == 2
    with tenant(7):
        waiting.enqueue()

    assert email() == (5, 1)
    assert email(7) == (4, 1)
    assert {each: its[0].todo for each, its in metrics.glance_by_tenant().items()} == {7: 4, 8: 1}


def test_beside_a_crowd_a_page_reads_what_was_counted_last(waiting: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(present, "LIVE_MS", -1.0)
    count()
    with tenant(7):
        waiting.enqueue()

    assert email() == (4, 1), "as it was counted"
    assert email(8) == (1, 0)
    assert count() == 1, "one row changed"
    assert email() == (5, 1)


def test_what_was_counted_long_ago_is_not_believed(waiting: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(present, "LIVE_MS", -1.0)
    count()
    with tenant(7):
        waiting.enqueue()
    SnapshotMark.objects.update(taken_at=timezone.now() - timedelta(minutes=2))

    assert email() == (5, 1)


def test_it_is_counted_once_in_ten_seconds_and_seldom_when_it_takes_long(waiting: Task) -> None:
    assert count() == 2
    assert queries.fetch("count_queues", {})[0][0] is None
    SnapshotMark.objects.update(taken_at=timezone.now() - timedelta(seconds=30), took_ms=2_000)
    assert queries.fetch("count_queues", {})[0][0] is None, "it took two seconds: forty must pass"


def test_a_queue_without_jobs_has_no_row(waiting: Task) -> None:
    count()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM procrastinate_jobs WHERE tenant_id = 8")
    count()
    assert list(QueueSnapshot.objects.values_list("tenant_id", "todo")) == [(7, 3)]
