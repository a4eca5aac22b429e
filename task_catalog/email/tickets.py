"""send_ticket_email (T06): tells everyone who has a ticket on their desk what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from task_catalog import entities
from task_catalog.arguments import task
from task_catalog.audience import addresses, contact, group_members, name_of
from task_catalog.conf import catalog
from task_catalog.escalation import Matrix
from task_catalog.offsets import Offsets
from task_catalog.ports import mail
from task_catalog.rules.local_time import shown
from task_catalog.rules.recipients import Recipients, split_addresses
from task_catalog.rules.tickets import MatrixRow, next_step_in_words
from task_catalog.tickets import assignee_of
from youtility_tasks import BadInput, NotReady, Retry, TaskContext, current_tenant, effects, queues

if TYPE_CHECKING:
    from task_catalog.facility.models import Ticket

EVENTS = ("created", "updated", "escalated")
RUNS_TO_WAIT = 2
"""An unknown ticket is waited for that many runs: whoever enqueued the mail may not have committed yet."""


@task(
    name="send_ticket_email",
    queue_name=queues.EMAIL,
    priority=3,
    retry=Retry(6, base=300, factor=1, cap=300),
    timeout_s=60,
    takes_context=True,
    seed_class="email",
)
def send_ticket_email(context: TaskContext, *, id: int, event: str = "created", level: int = 0) -> dict[str, Any]:
    """Tell everyone who has a ticket on their desk that it was created, updated or escalated.

    `level` is the level reached for "escalated", the length of the ticket's history for "updated"; it tells one message
    from the next. `recipients` in the result is their number: a result is read by more people than a mail.
    Second attempt: same effect key `ticket-mail:{id}:{event}:{ref}` and Message-ID, so nobody gets two mails.
    """
    ref = _checked_ref(id, event, level)
    client_id = current_tenant()
    ticket = (
        entities.Ticket.objects.filter(pk=id, client_id=client_id)
        .select_related("assignedtopeople", "assignedtogroup", "cuser", "muser", "ticketcategory", "bu")
        .first()
    )
    if client_id is None or ticket is None:
        told = f"send_ticket_email: client {client_id} has no ticket {id}"
        if context.attempt <= RUNS_TO_WAIT:
            raise NotReady(f"{told} yet.")
        raise BadInput(f"{told}. Was it deleted, or is the id of another client?")

    warnings: list[str] = []
    matrix = Matrix(client_id)
    step = matrix.step(ticket, level) if event == "escalated" else None
    if event == "escalated" and step is None:
        warnings.append(f"the escalation row of level {level} is gone; nobody was notified on its behalf")
    people = _recipients(ticket, client_id, matrix, step)
    warnings.extend(people.warnings)
    result = {"ticketno": ticket.ticketno, "event": event, "recipients": len(people.addresses), "sent": False}
    if not people.addresses:
        return {**result, "status": "skipped", "warnings": ["no_recipients", *warnings]}

    key = f"ticket-mail:{ticket.pk}:{event}:{ref}"
    offsets = Offsets()
    message = mail.Message(
        task="send_ticket_email",
        key=key,
        to=people.addresses,
        template="ticket",
        context={
            "event": event,
            "level": level,
            "ticketno": ticket.ticketno,
            "site": "-" if ticket.bu is None else ticket.bu.buname,
            "facts": _facts(ticket, client_id, matrix, step, event, level, offsets),
            "matrix_body": "" if step is None else matrix.stored(step).body,
            "company_name": catalog().company_name,
        },
    )
    warnings.extend(offsets.warnings)

    def deliver(message_id: str) -> None:
        warnings.extend(mail.deliver(message, message_id).warnings)

    sent = effects.perform(key, deliver, bu_id=ticket.bu_id)
    return {**result, "sent": sent, "status": "ok" if sent else "duplicate", "warnings": warnings}


def _checked_ref(id: int, event: str, level: int) -> int:
    """What tells this message from others about the same event. Raises BadInput for arguments that cannot be meant."""
    if isinstance(id, bool) or not isinstance(id, int) or id < 1:
        raise BadInput(f"send_ticket_email: id is {id!r}; right is the id of a ticket.")
    if event not in EVENTS:
        raise BadInput(f"send_ticket_email: event is {event!r}; right is one of {', '.join(EVENTS)}.")
    if isinstance(level, bool) or not isinstance(level, int) or level < 0 or (event == "escalated" and level < 1):
        raise BadInput(f"send_ticket_email: level is {level!r} for {event!r}; right is the level reached, from 1.")
    return 0 if event == "created" else level


def _recipients(ticket: Ticket, client_id: int, matrix: Matrix, step: MatrixRow | None) -> Recipients:
    people = [contact(ticket.cuser), contact(ticket.muser)]
    if not entities.is_none(ticket.assignedtopeople_id):
        people.insert(0, contact(ticket.assignedtopeople))
    people.extend(group_members(ticket.assignedtogroup_id, client_id=client_id))
    notified = [] if step is None else split_addresses(matrix.stored(step).notify)
    return addresses(people, client_id=client_id, extra=notified)


def _facts(
    ticket: Ticket,
    client_id: int,
    matrix: Matrix,
    step: MatrixRow | None,
    event: str,
    level: int,
    offsets: Offsets,
) -> list[tuple[str, object]]:
    offset = offsets.of(ticket.ctzoffset, client_id=client_id, bu_id=ticket.bu_id)
    category = "-" if entities.is_none(ticket.ticketcategory_id) else ticket.ticketcategory
    facts: list[tuple[str, object]] = [
        ("Description", ticket.ticketdesc),
        ("Category", category if isinstance(category, str) or category is None else category.taname),
        ("Priority", ticket.priority),
        ("Status", ticket.status),
        ("Created", shown(ticket.cdtz, offset)),
        ("Modified", shown(ticket.modifieddatetime or ticket.mdtz, offset)),
        ("Modified by", name_of(ticket.muser)),
        ("Assigned to", assignee_of(ticket)),
        ("Comments", ticket.comments or "-"),
        ("Level", level if event == "escalated" else ticket.level),
    ]
    if event == "escalated":
        if step is not None:
            facts.append(("Escalated in", f"{step.value} {step.frequency}"))
        facts.append(("Next escalation", next_step_in_words(matrix.step(ticket, level + 1))))
    return facts
