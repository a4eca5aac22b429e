"""Tickets that devices write: new ones are numbered and mailed, known ones get an entry in their history."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from task_catalog import entities
from task_catalog.email.tickets import send_ticket_email
from task_catalog.mobile.context import Context
from task_catalog.mobile.reading import Rejected, Row, refuse
from task_catalog.mobile.tables import TABLES
from task_catalog.rules.tickets import history_item, with_item
from task_catalog.tickets import NewTicket, assignee_of, create_tickets, state_of
from youtility_tasks import enqueue_many

if TYPE_CHECKING:
    from task_catalog.facility.models import Ticket

_STATES = ("NEW", "OPEN", "ONHOLD", "RESOLVED", "CLOSED", "CANCELLED")
_CHANGEABLE = (
    *("ticketdesc", "comments", "priority", "status", "ticketcategory", "location", "asset", "qset"),
    *("assignedtopeople", "assignedtogroup", "performedby"),
)


def store(context: Context, rows: Sequence[Row]) -> None:
    """Make the tickets that are new, change those that the client has, and enqueue a mail for each. Raises BadInput."""
    table = TABLES["ticket"]
    refuse(table, [flaw for row in rows if (flaw := _flaw(row)) is not None])
    known = {
        ticket.uuid: ticket
        for ticket in context.mine.rows(table)
        .filter(uuid__in=[row.key for row in rows])
        .select_for_update(of=("self",))
        .select_related("assignedtopeople", "assignedtogroup")
        .order_by("pk")
    }
    new = [row for row in rows if row.uuid not in known]
    without_site = [row for row in new if entities.is_none(row.values.get("bu"))]
    refuse(table, [Rejected(row.index, "it names no site; right is a bu_id") for row in without_site])
    made = create_tickets([_new(row, context) for row in new], at=context.now) if new else []
    calls: list[dict[str, Any]] = [{"id": ticket.pk, "event": "created"} for ticket in made]
    calls += _change(context, [(row, known[row.key]) for row in rows if row.uuid in known])
    if calls:
        enqueue_many(send_ticket_email, calls)


def _flaw(row: Row) -> Rejected | None:
    status = row.values.get("status")
    if status is not None and status not in _STATES:
        return Rejected(row.index, f"status: {status!r:.60} is none; right is one of {', '.join(_STATES)}")
    return None


def _new(row: Row, context: Context) -> NewTicket:
    values = row.values
    return NewTicket(
        client_id=context.client_id,
        bu_id=values.get("bu"),
        description=values.get("ticketdesc") or "-",
        category_id=values.get("ticketcategory"),
        priority=values.get("priority") or "LOW",
        person_id=values.get("assignedtopeople"),
        group_id=values.get("assignedtogroup"),
        asset_id=values.get("asset"),
        qset_id=values.get("qset"),
        location_id=values.get("location"),
        creator_id=values.get("cuser"),
        modifier_id=values.get("muser"),
        ctzoffset=-1 if values.get("ctzoffset") is None else values["ctzoffset"],
        status=values.get("status") or "NEW",
        comments=values.get("comments") or "",
        uuid=row.uuid,
        created_at=values.get("cdtz"),
    )


def _change(context: Context, pairs: Sequence[tuple[Row, Ticket]]) -> list[dict[str, Any]]:
    """Write what differs, with an entry in the history; the mails of those that were changed."""
    people = [pk for row, _ in pairs for name in ("muser", "assignedtopeople") if (pk := row.values.get(name))]
    names = dict(entities.Person.objects.filter(pk__in=people).values_list("pk", "peoplename")) if people else {}
    changed, calls = [], []
    for row, ticket in pairs:
        details = _apply(row, ticket)
        if not details:
            continue
        author = row.values.get("muser") or entities.none_id()
        item = history_item(
            action="updated",
            at=context.moment,
            person_id=author,
            who=names.get(author, "-"),
            assigned_to=names.get(ticket.assignedtopeople_id or 0) or assignee_of(ticket),
            details=[f"{name}: {before} -> {after}" for name, before, after in details],
            previous_state={**state_of(ticket), **{name: before for name, before, _ in details}},
        )
        ticket.ticketlog = with_item(ticket.ticketlog, item)
        ticket.mdtz = ticket.modifieddatetime = context.moment
        ticket.muser_id = author
        changed.append(ticket)
        calls.append({"id": ticket.pk, "event": "updated", "level": len(ticket.ticketlog["ticket_history"])})
    if changed:
        columns = [*_CHANGEABLE, "ticketlog", "mdtz", "modifieddatetime", "muser"]
        entities.Ticket.objects.bulk_update(changed, columns)
    return calls


def _apply(row: Row, ticket: Ticket) -> list[tuple[str, Any, Any]]:
    """Set what the device says and differs: name, before, after."""
    details = []
    for name in _CHANGEABLE:
        if name not in row.values:
            continue
        attribute = ticket._meta.get_field(name).attname  # type: ignore[union-attr]
        before, after = getattr(ticket, attribute), row.values[name]
        if before != after:
            setattr(ticket, attribute, after)
            details.append((name, before, after))
    return details
