"""Reports of the day, as plain data (catalog.md 5.6): which come by themselves, and which people ask for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import time, timedelta


@dataclass(frozen=True, slots=True)
class Scheduled:
    """A report of the client's first site that comes by itself; the cron is in the client's wall clock."""

    name: str
    code: str
    cron: str
    crontype: str
    identifier: str
    """Which occurrences it is about: without one in its period there is nothing to send."""
    working_days: int = 0


SCHEDULED = (
    Scheduled("Tasks of the day", "TASKSUMMARY", "0 6 * * *", "daily", "TASK"),
    Scheduled("Tours of the day", "TOURSUMMARY", "0 6 * * *", "daily", "INTERNALTOUR"),
    Scheduled("Tasks of the week", "TASKSUMMARY", "0 7 * * 1", "weekly", "TASK"),
    Scheduled("Tours of the month", "TOURSUMMARY", "0 8 1 * *", "monthly", "INTERNALTOUR"),
    Scheduled("Tasks of the working days", "TASKSUMMARY", "0 9 * * 1-5", "workingdays", "TASK", working_days=5),
)
"""The same five for each client, with the same send time, on purpose: whoever finds a file by its name mixes them up."""
SEND_TIME = time(10)
"""In the client's wall clock."""
LAST_GENERATED_BEFORE = timedelta(hours=1)
"""How long before the day all of them were generated last."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request of the report page, about the client's first site."""

    code: str
    format: str
    is_sent: bool = False
    is_small: bool = False
    """It fits into the limit below which a report travels inside its job."""
    has_data: bool = True


ASKED = (
    Asked("TASKSUMMARY", "csv"),
    Asked("TOURSUMMARY", "xlsx"),
    Asked("LISTOFTASKS", "json"),
    Asked("LISTOFTOURS", "html"),
    Asked("TASKSUMMARY", "csv", has_data=False),
    Asked("LISTOFTASKS", "xlsx", has_data=False),
    Asked("TASKSUMMARY", "csv", is_sent=True, is_small=True),
    Asked("TOURSUMMARY", "pdf", is_sent=True),
    Asked("LISTOFTASKS", "xlsx", is_sent=True),
    Asked("LISTOFTASKS", "html", is_sent=True),
)
"""What somebody of each client asks for."""
ASKED_AFTER = timedelta(hours=13)
INLINE_LIMIT = 1_000
"""Bytes up to which a report travels inside its job on this day, so that of the reports to be sent only the smallest does."""
OLD_FILES, OLD_FILES_AGE = 20, timedelta(days=2)
"""Files that nobody has fetched before the day."""
FILE_LIFETIME = timedelta(hours=12)
