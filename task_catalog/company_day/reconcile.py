"""Counts the day's totals where they ended up, and lays them beside the expected ones.

Rows are counted in the database, jobs in the queue and its history, messages in the sink's file; each name here is a
name of `expected.totals`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from .company import Company
from .counting.jobs import count_jobs
from .counting.messages import count_messages
from .counting.rows import count_rows
from .counting.tickets import count_tickets
from .expected import Value, totals
from .player import Played
from .sink import Delivered


@dataclass(frozen=True, slots=True)
class Check:
    """One total: what it should be and what it is; None when nobody counted it."""

    name: str
    expected: Value
    got: Value | None

    @property
    def ok(self) -> bool:
        return self.expected == self.got

    def as_json(self) -> dict[str, Any]:
        return {"name": self.name, "expected": self.expected, "got": self.got, "ok": self.ok}


def reconcile(company: Company, day: date, scale: int, played: Played, mails: list[Delivered]) -> list[Check]:
    """Every total of the day, expected and got, in the order in which people read them."""
    got = {
        **count_rows(company, day, played),
        **count_tickets(company),
        **count_jobs(company, day, played),
        **count_messages(company, mails),
    }
    return [Check(name, expected, got.get(name)) for name, expected in totals(day, scale).items()]
