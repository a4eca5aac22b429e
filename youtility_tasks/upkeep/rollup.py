"""Adds ended attempts to their minutes and hours and to the exporter's totals, each once; removes minutes and hours past their time."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from procrastinate.contrib.django import app

from youtility_tasks import queries, queues, registry
from youtility_tasks.conf import settings
from youtility_tasks.metrics import HOUR_S

BATCH = 20_000
"""Attempts that one transaction adds, and rows that one removes."""
_DAY_IS_OVER = timedelta(minutes=30)
"""After it: what ended in its last minutes has been added up, or the day would be summed twice."""


def fold(leave: Callable[[], bool] = lambda: False, *, batch: int = BATCH, most_calls: int = 50) -> tuple[int, bool]:
    """Add the attempts that have been committed since the last call, and then some of before there were numbers; how many were added,
    and whether that was all.

    Many may call it at once: one does it. Stopped in the middle, the next call goes on; none is added twice. A batch is a transaction.
    """
    call = {"most": batch, "late_s": settings().metrics_late_hours * HOUR_S, "names": json.dumps(_names())}
    count, is_all = 0, False
    for statement in ("fold_metrics", "fold_past_metrics"):
        is_all = False
        while not is_all and most_calls > 0 and not leave():
            ((added, is_all),) = queries.fetch(statement, call)
            if added is None:  # somebody else is at it
                return count, True
            count += added
            most_calls -= 1
    return count, is_all


def sum_day(now: datetime) -> tuple[int, bool]:
    """Add up one day of hours that is over, the newest first, so that a month is read from days; how many, and whether that was all.

    Many may call it at once: one does it. What is added to an hour of it later takes the day's sums away, and the next call makes them anew.
    """
    oldest = now - timedelta(days=settings().metrics_hour_days)
    ((day,),) = queries.fetch("sum_day", {"since": oldest, "until": now - _DAY_IS_OVER})
    return (0, True) if day is None else (1, False)


def remove_old(now: datetime, leave: Callable[[], bool] = lambda: False, *, most_calls: int = 50) -> tuple[int, bool]:
    """Remove minutes older than `metrics_minute_days` and hours older than `metrics_hour_days`; how many, and whether those were all."""
    gone = 0
    for _ in range(most_calls):
        some = sum(prune(now, dry_run=False).values())
        gone += some
        if some < BATCH:
            return gone, True
        if leave():
            break
    return gone, False


def prune(now: datetime, *, dry_run: bool) -> dict[str, int]:
    """Remove one batch of old minutes and hours, or with `dry_run` count all of them: kind -> how many."""
    call = {"now": now, "minute_days": settings().metrics_minute_days, "hour_days": settings().metrics_hour_days}
    rows = queries.fetch("prune_metrics", {**call, "most": BATCH, "dry_run": dry_run})
    return {"hours" if resolution_s == HOUR_S else "minutes": count for resolution_s, count in rows}


def _names() -> dict[str, Any]:
    """What the totals tell apart, and how far back there are minutes and hours. Names in a table may be anything; those of this code
    are not many."""
    most = settings().metrics_names
    tasks = sorted({*registry.registered(), *app.tasks})[:most]
    tenants = queries.fetch("first_tenants", {"most": settings().metrics_tenants}) if settings().metrics_tenants else []
    return {
        "tasks": tasks,
        "queues": sorted(queues.configured())[:most],
        "tenants": [tenant_id for (tenant_id,) in tenants],
        "most": most,
        "minute_days": settings().metrics_minute_days,
        "hour_days": settings().metrics_hour_days,
    }
