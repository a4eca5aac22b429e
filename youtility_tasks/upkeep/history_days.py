"""Makes the history's days ahead, so that a day can be dropped whole when its time has come."""

from __future__ import annotations

import logging
from datetime import date, datetime

from youtility_tasks import queries
from youtility_tasks.conf import settings

logger = logging.getLogger(__name__)


def make_days(now: datetime) -> int:
    """Make the partitions of today, of `history_days_ahead` more days, and of the days that DEFAULT holds; how many.

    What DEFAULT holds of a day moves into its partition. Many may call it at once; a day whose locks are not to be had
    within a second raises, and the next call goes on there.
    """
    return sum(_make(day) for day in missing_days(now))


def missing_days(now: datetime) -> list[date]:
    """The days that `make_days` would make, the latest first: what is still to come is made in time before all else."""
    # What is older stays in DEFAULT: a dropped day's attempts of dead letters are there, and must not make it again.
    keep = {"ahead": settings().history_days_ahead, "keep_days": settings().shortest_retention_days}
    rows = queries.fetch("history_gaps", {"now": now, **keep})
    return [day for (day,) in rows]


def _make(day: date) -> bool:
    ((moved,),) = queries.fetch("add_history_day", {"day": day})
    if moved:
        logger.info("history day made day=%s moved=%s", day, moved)
    return moved is not None
