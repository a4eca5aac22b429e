"""What the company's people do with tickets on the day: they write them, and later solve them or not (catalog.md 5.4)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from django.db import transaction

from task_catalog import entities
from task_catalog.email.tickets import send_ticket_email
from task_catalog.rules.tickets import history_item, with_item
from task_catalog.tickets import NewTicket, assignee_of, create_ticket, state_of
from youtility_tasks import tenant

from .company import ClientRows, Company
from .definitions import FIRST_TICKET_AFTER, TICKET_CATEGORY, TICKET_EVERY, TICKET_TURNS, midnight


@dataclass(frozen=True, slots=True)
class _Act:
    """Ticket `number` of a client is written (`status` NEW) or becomes something else."""

    at: datetime
    letter: str
    number: int
    status: str


class TicketDesk:
    """The tickets that people make, dealt to the client's sites in turn."""

    def __init__(self, company: Company, day: date) -> None:
        self._company = company
        self._acts = sorted(_acts(company, day), key=lambda act: act.at)
        self._ticket_ids: dict[tuple[str, int], int] = {}

    def act_until(self, instant: datetime) -> int:
        """Do all acts up to an instant that are not yet done; how many there were."""
        due = [act for act in self._acts if act.at <= instant]
        self._acts = self._acts[len(due) :]
        for act in due:
            rows = self._company.clients[act.letter]
            with tenant(rows.id), transaction.atomic():
                if act.status == "NEW":
                    self._write(act, rows)
                else:
                    self._change(act)
        return len(due)

    def _write(self, act: _Act, rows: ClientRows) -> None:
        """The ticket and the job of its mail, in one transaction: neither is there without the other."""
        place = act.number % len(rows.sites)
        staff = rows.site_people[place]
        guard = staff["guard"][act.number % len(staff["guard"])]
        ticket = create_ticket(
            NewTicket(
                client_id=rows.id,
                bu_id=rows.sites[place].pk,
                description=f"Something is broken ({act.number + 1})",
                category_id=rows.words[TICKET_CATEGORY].pk,
                priority="MEDIUM",
                person_id=staff["incharge"][0].pk,
                creator_id=guard.pk,
                ctzoffset=rows.client.offset_min,
                comments="from the web" if act.number % 2 == 0 else "from a mobile device",
            ),
            at=act.at,
        )
        self._ticket_ids[act.letter, act.number] = ticket.pk
        send_ticket_email.enqueue(id=ticket.pk, event="created")

    def _change(self, act: _Act) -> None:
        found = entities.Ticket.objects.select_for_update(of=("self",)).select_related("assignedtopeople", "cuser")
        ticket = found.get(pk=self._ticket_ids[act.letter, act.number])
        item = history_item(
            action="updated",
            at=act.at,
            person_id=ticket.cuser_id or entities.none_id(),
            who=ticket.cuser.peoplename if ticket.cuser else "-",
            assigned_to=assignee_of(ticket),
            details=[f"status: {ticket.status} -> {act.status}"],
            previous_state=state_of(ticket),
        )
        entities.Ticket.objects.filter(pk=ticket.pk).update(
            status=act.status,
            mdtz=act.at,
            modifieddatetime=act.at,
            muser_id=ticket.cuser_id,
            ticketlog=with_item(ticket.ticketlog, item),
        )


def _acts(company: Company, day: date) -> list[_Act]:
    acts = []
    for letter, rows in company.clients.items():
        for number in range(rows.client.tickets):
            written_at = midnight(day) + FIRST_TICKET_AFTER + number * TICKET_EVERY
            status, after = TICKET_TURNS[number % len(TICKET_TURNS)]
            acts += [_Act(written_at, letter, number, "NEW"), _Act(written_at + after, letter, number, status)]
    return acts
