"""Which reminders go out now and which have missed their moment (catalog.md T07)."""

from __future__ import annotations

from datetime import datetime
from enum import Enum

SUCCESS, FAILED = "SUCCESS", "FAILED"


class Moment(Enum):
    """What is to be done with a reminder."""

    WAITS = "waits"
    DUE = "due"
    MISSED = "missed"
    SETTLED = "settled"


def moment_of(status: str, *, remind_at: datetime, planned_at: datetime, now: datetime) -> Moment:
    """Due from the reminder's own time until the work begins; after that a reminder would only mislead (D21).

    A FAILED one is due again until then, because somebody may have corrected an address. Once the work has begun
    there is nothing left to do for it.
    """
    if status == SUCCESS:
        return Moment.SETTLED
    if planned_at <= now:
        return Moment.SETTLED if status == FAILED else Moment.MISSED
    return Moment.DUE if remind_at <= now else Moment.WAITS
