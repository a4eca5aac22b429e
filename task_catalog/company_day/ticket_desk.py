"""What the company's people do with tickets on the day: they write them, and later solve them or not (catalog.md 5.4)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from task_catalog import entities
from task_catalog.email.tickets import send_ticket_email
from task_catalog.rules.tickets import history_item, with_item
from task_catalog.tickets import NewTicket, assignee_of, create_ticket, state_of

from .agenda import Agenda
from .company import ClientRows, Company
from .definitions import FIRST_TICKET_AFTER, TICKET_CATEGORY, TICKET_EVERY, TICKET_TURNS, midnight
from .devices import Devices
from .identity import uuid_of


@dataclass(frozen=True, slots=True)
class _Ticket:
    """Ticket `number` of a client, dealt to its sites in turn; the even ones on the web, the odd ones from a device."""

    rows: ClientRows
    number: int
    uuid: UUID
    at: datetime


class TicketDesk:
    """The tickets that people make."""

    def __init__(self, company: Company, day: date, agenda: Agenda, devices: Devices) -> None:
        self._devices = devices
        self._ids: dict[UUID, int] = {}
        for letter, rows in company.clients.items():
            for number in range(rows.client.tickets):
                at = midnight(day) + FIRST_TICKET_AFTER + number * TICKET_EVERY
                ticket = _Ticket(rows, number, uuid_of(day, letter, "ticket", number), at)
                status, after = TICKET_TURNS[number % len(TICKET_TURNS)]
                agenda.note(at, rows.id, self._write, ticket)
                agenda.note(at + after, rows.id, self._change, ticket, at + after, status)

    def _write(self, ticket: _Ticket) -> None:
        rows = ticket.rows
        place = ticket.number % len(rows.sites)
        staff = rows.site_people[place]
        guard = staff["guard"][ticket.number % len(staff["guard"])]
        words = {"description": f"Something is broken ({ticket.number + 1})", "priority": "MEDIUM"}
        category, incharge = rows.words[TICKET_CATEGORY], staff["incharge"][0]
        if ticket.number % 2:
            columns = {
                "ticketdesc": words["description"],
                "priority": words["priority"],
                "client_id": rows.id,
                "bu_id": rows.sites[place].pk,
                "ticketcategory_id": category.pk,
                "assignedtopeople_id": incharge.pk,
                "comments": "from a mobile device",
                "status": "NEW",
                **rows.stamps(ticket.at, guard.pk),
            }
            self._devices.write_ticket(ticket.uuid, columns)
            return
        made = create_ticket(
            NewTicket(
                client_id=rows.id,
                bu_id=rows.sites[place].pk,
                description=words["description"],
                category_id=category.pk,
                priority=words["priority"],
                person_id=incharge.pk,
                creator_id=guard.pk,
                ctzoffset=rows.client.offset_min,
                comments="from the web",
            ),
            at=ticket.at,
        )
        self._ids[ticket.uuid] = made.pk
        # In the transaction of the ticket: neither is there without the other.
        send_ticket_email.enqueue(id=made.pk, event="created")

    def _change(self, made: _Ticket, at: datetime, status: str) -> None:
        found = entities.Ticket.objects.select_for_update(of=("self",)).select_related("assignedtopeople", "cuser")
        ticket = found.get(pk=self._ids[made.uuid]) if made.uuid in self._ids else found.get(uuid=made.uuid)
        item = history_item(
            action="updated",
            at=at,
            person_id=ticket.cuser_id or entities.none_id(),
            who=ticket.cuser.peoplename if ticket.cuser else "-",
            assigned_to=assignee_of(ticket),
            details=[f"status: {ticket.status} -> {status}"],
            previous_state=state_of(ticket),
        )
        entities.Ticket.objects.filter(pk=ticket.pk).update(
            status=status,
            mdtz=at,
            modifieddatetime=at,
            muser_id=ticket.cuser_id,
            ticketlog=with_item(ticket.ticketlog, item),
        )
