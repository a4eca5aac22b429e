"""Tickets: who made them, how far they climbed, whether their numbers are whole."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from task_catalog import entities
from task_catalog.company_day.company import Company
from task_catalog.company_day.definitions import TICKET_CATEGORY
from task_catalog.company_day.expected import Totals

from .letters import by_client

if TYPE_CHECKING:
    from task_catalog.facility.models import Ticket


def count_tickets(company: Company) -> Totals:
    """The totals of people's tickets and of those that auto-close raised."""
    tickets = entities.Ticket.objects.filter(client_id__in=company.client_ids).select_related("ticketcategory", "bu")
    every = list(tickets.order_by("pk"))
    of_people = [
        ticket for ticket in every if ticket.ticketcategory and ticket.ticketcategory.tacode == TICKET_CATEGORY
    ]
    raised = [ticket for ticket in every if ticket not in of_people]
    found: Totals = {
        "tickets made by people": by_client(company, (ticket.client_id for ticket in of_people)),
        "tickets": len(every),
    }
    for level in (1, 2, 3):
        climbed = (ticket.client_id for ticket in of_people if ticket.level >= level)
        found[f"escalations to level {level}"] = by_client(company, climbed)
    found["escalations"] = sum(len(_moments(ticket, "escalated")) for ticket in every)
    levels = Counter(str(ticket.level) for ticket in of_people)
    found["levels of people's tickets"] = {**{str(level): 0 for level in range(4)}, **levels}
    states = Counter(ticket.status for ticket in of_people)
    found["states of people's tickets"] = dict(sorted(states.items()))
    found["raised tickets above level 0"] = sum(ticket.level > 0 for ticket in raised)
    found["tickets escalated after their end"] = sum(_climbed_after_end(ticket) for ticket in of_people)
    found["sites whose ticket numbers have a gap or a double"] = _faulty_sites(every)
    return found


def _moments(ticket: Ticket, action: str) -> list[datetime]:
    return [
        datetime.fromisoformat(item["when"]) for item in ticket.ticketlog["ticket_history"] if item["action"] == action
    ]


def _climbed_after_end(ticket: Ticket) -> bool:
    if ticket.status == "OPEN":
        return False
    ended_at = max(_moments(ticket, "updated"), default=None)
    return ended_at is not None and any(moment >= ended_at for moment in _moments(ticket, "escalated"))


def _faulty_sites(tickets: Iterable[Ticket]) -> int:
    """Sites whose numbers are not `<code>#1` .. `<code>#n`, each once."""
    numbers = defaultdict(list)
    for ticket in tickets:
        numbers[ticket.bu].append(ticket.ticketno)
    return sum(
        sorted(found) != sorted(f"{site.bucode if site else '?'}#{n}" for n in range(1, len(found) + 1))
        for site, found in numbers.items()
    )
