"""How far a visit has come, and which reports of it come too late to count."""

from __future__ import annotations

ASSIGNED, INPROGRESS, COMPLETED = "ASSIGNED", "INPROGRESS", "COMPLETED"
OPEN = (ASSIGNED, INPROGRESS)
REPORTED = (ASSIGNED, INPROGRESS, COMPLETED, "PARTIALLYCOMPLETED", "AUTOCLOSED", "MAINTENANCE", "STANDBY", "WORKING")
"""Words that a device may use."""


def is_step_back(stored: str, reported: str) -> bool:
    """Whether a report is older than what is known: messages overtake each other, and what is done stays done.

    Work that the server closed may still be reported as begun or done, by a device that was offline.
    """
    return stored == COMPLETED and reported != COMPLETED


def completes(stored: str | None, reported: str) -> bool:
    """Whether a report is the one that says that the work is done; None: nothing was known of it."""
    return reported == COMPLETED and stored != COMPLETED


STEP_BACK_SQL = "NOT (t.{jobstatus} = 'COMPLETED' AND excluded.{jobstatus} <> 'COMPLETED')"
"""`not is_step_back` as a condition of `storing.upsert`; a test holds the two together."""
