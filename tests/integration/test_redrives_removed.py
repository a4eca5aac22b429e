"""Redrives that ended are removed after their retention; those that have not ended, and what the audit log says, stay."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from youtility_tasks import queries
from youtility_tasks.conf import settings as settings_of
from youtility_tasks.models import Redrive
from youtility_tasks.status import Outcome
from youtility_tasks.upkeep import duties, prune

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 5, 20, 12, tzinfo=UTC)


def redrive(ended_at: datetime | None, *, tenant_id: int | None = 7, **more: Any) -> int:
    row = Redrive.objects.create(
        tenant_id=tenant_id, failed_until=NOW, key=str(Redrive.objects.count()), started_by="rita", total_count=1,
        ended_at=ended_at, started_at=NOW - timedelta(days=900), **more,
    )  # fmt: skip
    return int(row.pk)


def left() -> set[int]:
    return set(Redrive.objects.values_list("pk", flat=True))


@pytest.fixture
def kept(settings: Any) -> set[int]:
    """Of three redrives past 30 whole days, and four others, what stays."""
    settings.YOUTILITY_TASKS = {**getattr(settings, "YOUTILITY_TASKS", {}), "redrive_retention_days": 30}
    for tenant_id, stopped in ((7, False), (8, True), (None, False)):
        redrive(datetime(2026, 4, 19, 23, 59, tzinfo=UTC), tenant_id=tenant_id, is_stopped=stopped)
    return {redrive(None), redrive(None, tenant_id=None), redrive(datetime(2026, 4, 20, tzinfo=UTC)), redrive(NOW)}


def test_a_dry_run_counts_what_then_goes(kept: set[int]) -> None:
    would, did = prune.would_remove(NOW), prune.remove_old(NOW)

    assert (would.redrives, would) == (3, did)
    assert left() == kept
    assert prune.would_remove(NOW).count == 0


def test_they_go_batch_by_batch(kept: set[int]) -> None:
    first = prune.remove_old(NOW, batch=2, most_calls=1)

    assert (first.redrives, first.is_all) == (2, False)
    assert prune.remove_old(NOW, batch=2).redrives == 1


@pytest.mark.parametrize(
    ("scope", "gone"),
    [
        (prune.Scope(keep_days=400), 0),
        (prune.Scope(keep_days=0), 4),
        (prune.Scope(keep_days=0, tenant_id=7), 0),
        (prune.Scope(keep_days=0, task_name="sweep"), 0),
        (prune.Scope(keep_days=0, outcome=Outcome.FAILED), 0),
    ],
)
def test_of_a_part_of_the_attempts_none_goes(kept: set[int], scope: prune.Scope, gone: int) -> None:
    assert prune.would_remove(NOW, scope).redrives == gone
    assert prune.remove_old(NOW, scope).redrives == gone


def test_a_worker_does_it(kept: set[int]) -> None:
    Redrive.objects.filter(pk__in=kept).update(ended_at=None)
    queries.run("end_duty", {"name": "remove old", "done_count": 0, "error": "", "again": True})

    assert duties.run_due()["remove old"] >= 3
    assert left() == kept


def test_they_are_kept_for_a_year_where_nobody_says_otherwise() -> None:
    assert settings_of().redrive_retention_days == 365
