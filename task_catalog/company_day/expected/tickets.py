"""People's tickets and how far they climb (R-TKT)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from task_catalog.company_day.definitions import (
    CLIENTS,
    ESCALATION_STEPS,
    FIRST_TICKET_AFTER,
    TICKET_EVERY,
    TICKET_TURNS,
    Client,
    midnight,
)

from .calendar import sweeps

_MINUTES = {"MINUTE": 1, "HOUR": 60, "DAY": 1440}


@dataclass(frozen=True, slots=True)
class PersonTicket:
    """A ticket that somebody made: how it ended and the level that it had reached."""

    client: Client
    status: str
    level: int


def person_tickets(day: date) -> list[PersonTicket]:
    """All tickets that people make on the day, in order of client and creation."""
    runs = sweeps("ticket_escalation", day)
    found = []
    for client in CLIENTS:
        for i in range(client.tickets):
            created_at = midnight(day) + FIRST_TICKET_AFTER + i * TICKET_EVERY
            status, after = TICKET_TURNS[i % len(TICKET_TURNS)]
            level = 0
            for now in runs:
                if status != "OPEN" and now >= created_at + after:
                    break
                if level < len(ESCALATION_STEPS):
                    unit, value = ESCALATION_STEPS[level]
                    level += created_at + timedelta(minutes=value * _MINUTES[unit]) < now
            found.append(PersonTicket(client, status, level))
    return found
