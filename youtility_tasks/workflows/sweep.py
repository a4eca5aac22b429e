"""Upkeep of runs: deadlines and timeouts, jobs that a cancel could not reach, a sweep that finds nothing, and what is past its time."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from youtility_tasks import queries
from youtility_tasks.conf import settings

_BATCH = 1_000
_PRUNE_BATCH = 200
"""Runs that one transaction removes, with all their steps."""

logger = logging.getLogger(__name__)


def end_overdue(now: datetime, leave: Callable[[], bool]) -> tuple[int, bool]:
    """End runs past their deadline and signals past their timeout, by the database's clock; how many, and whether that was all."""
    ((overdue, timed_out, stopped),) = queries.fetch("flows_overdue", {"most": _BATCH})
    if overdue or timed_out:
        logger.info("workflows overdue=%s signals_timed_out=%s", overdue, timed_out)
    return overdue + timed_out + stopped, max(overdue, timed_out) < _BATCH


def sweep(now: datetime, leave: Callable[[], bool]) -> tuple[int, bool]:
    """Tell steps whose jobs are over, and release what is ready; how many there were. In normal life there are none."""
    ((untold, unreleased),) = queries.fetch("flows_sweep", {"most": _BATCH})
    if untold or unreleased:
        logger.warning(
            "workflows repaired steps=%s runs=%s: something kept the triggers of the jobs from running",
            untold,
            unreleased,
        )
    return untold + unreleased, max(untold, unreleased) < _BATCH


def remove_old(now: datetime, leave: Callable[[], bool]) -> tuple[int, bool]:
    """Remove runs that ended before their attempts' retention began; how many outermost ones, and whether that was all."""
    removed = 0
    while not leave():
        before = now - timedelta(days=settings().history_retention_days)
        ((count,),) = queries.fetch("flows_prune", {"before": before, "most": _PRUNE_BATCH})
        removed += count
        if count < _PRUNE_BATCH:
            return removed, True
    return removed, False
