"""Everything that must happen on a day, worked out once; the totals are counts of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from task_catalog.company_day.definitions import Plan

from .planning import Reminder, Root, planned_roots, reminders
from .reports import Generated, generated
from .tickets import PersonTicket, person_tickets
from .work import Outcome, outcomes


@dataclass(frozen=True, slots=True)
class Happened:
    """The occurrences, their ends, and what came of them."""

    day: date
    roots: dict[Plan, list[Root]]
    ends: list[Outcome]
    reminders: list[Reminder]
    tickets: list[PersonTicket]
    generated: list[Generated]

    @classmethod
    def on(cls, day: date, scale: int) -> Happened:
        """What must happen on a date, with so many times the sites."""
        roots = planned_roots(day, scale)
        return cls(day, roots, outcomes(roots, day), reminders(roots), person_tickets(day), generated(roots, day))

    @property
    def ticket_mails(self) -> dict[str, int]:
        """Mails about tickets by event; each takes a job."""
        return {
            "created": len(self.tickets) + sum(end.raises_ticket for end in self.ends),
            "escalated": sum(ticket.level for ticket in self.tickets),
        }
