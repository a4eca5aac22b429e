"""Makes tickets: the next number of the site, and a history that begins with "created"."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import IntegrityError, connection, transaction
from django.db.models import BigIntegerField, Count, F, Func, Max, Q, Value
from django.db.models.functions import Cast

from task_catalog import entities
from task_catalog.rules import tickets as rules
from youtility_tasks import BadInput

if TYPE_CHECKING:
    from task_catalog.facility.models import Bt as BusinessUnit
    from task_catalog.facility.models import Ticket

SYSTEM = "System"
"""Who did what no person did, in the history."""

_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTicket:
    """What a ticket begins with; ids that are left out point to the NONE rows."""

    client_id: int
    bu_id: int | None
    description: str
    category_id: int | None = None
    priority: str = "LOW"
    person_id: int | None = None
    group_id: int | None = None
    asset_id: int | None = None
    qset_id: int | None = None
    location_id: int | None = None
    creator_id: int | None = None
    modifier_id: int | None = None
    ctzoffset: int = -1
    status: str = "NEW"
    source: str = "USERDEFINED"
    comments: str = ""
    level: int = 0
    uuid: UUID | None = None
    """The device's own key, if a device made it."""
    created_at: datetime | None = None
    """When it was written, if it comes later than that; never after the instant at which it is stored."""


def create_ticket(new: NewTicket, *, at: datetime) -> Ticket:
    """Write a ticket, made at the instant `at`, under the next number of its client and site.

    The site's numbers are locked until the caller's transaction ends, so they run 1, 2, 3 without gap or double also
    when two workers make tickets at once. Raises BadInput when the site does not exist.
    """
    return create_tickets([new], at=at)[0]


def create_tickets(new: Sequence[NewTicket], *, at: datetime) -> list[Ticket]:
    """As `create_ticket` for many, numbered in their order: one statement for all tickets, two for each site.

    The tickets of a site whose code is another one's too are numbered by its id as well: numbers are unique over all clients,
    and nobody sees another client's.
    """
    by_id: set[int] = set()
    while True:
        tickets: list[Ticket] = []
        try:
            with transaction.atomic():
                tickets += _numbered(new, by_id, at=at)
                # Not save(): an adopter's pre_save signal would give the ticket a number of its own, without our lock.
                entities.Ticket.objects.bulk_create(tickets)
        except IntegrityError as error:
            taken = _site_of_taken_number(error, tickets)
            if taken is None or taken in by_id:
                raise
            by_id.add(taken)
        else:
            return tickets


def _numbered(new: Sequence[NewTicket], by_id: set[int], *, at: datetime) -> list[Ticket]:
    sites = _sites(new)
    people = _named(entities.Person, (pk for each in new for pk in (each.person_id, each.creator_id)))
    groups = _named(entities.Group, (each.group_id for each in new))
    numbers = {place: _take_number(*place) for place in sorted({(each.client_id, each.bu_id or 0) for each in new})}
    tickets = []
    for each in new:
        place = (each.client_id, each.bu_id or 0)
        n, has_id = numbers[place]
        numbers[place] = n + 1, has_id
        site_id = place[1] if has_id or place[1] in by_id else None
        number = rules.ticket_number(sites[place[1]].bucode, n, site_id=site_id)
        tickets.append(_ticket(each, number, people, groups, at=at))
    return tickets


def _site_of_taken_number(error: IntegrityError, tickets: Sequence[Ticket]) -> int | None:
    """The site whose number somebody else has; None when something else than a number is there twice."""
    said = getattr(getattr(error.__cause__, "diag", None), "message_detail", None) or ""
    return next((ticket.bu_id for ticket in tickets if f"=({ticket.ticketno}) " in said), None)


def _sites(new: Sequence[NewTicket]) -> dict[int, BusinessUnit]:
    wanted = {each.bu_id or 0 for each in new if not entities.is_none(each.bu_id)}
    sites = {site.pk: site for site in entities.BusinessUnit.objects.filter(pk__in=wanted)}
    for each in new:
        if each.bu_id not in sites:
            raise BadInput(f"A ticket needs a site; bu_id is {each.bu_id!r}, which is none. Name the site it is about.")
    return sites


def _named(model: Any, ids: Iterable[int | None]) -> dict[int, Any]:
    wanted = {pk for pk in ids if not entities.is_none(pk)}
    return {row.pk: row for row in model.objects.filter(pk__in=wanted)} if wanted else {}


def _ticket(new: NewTicket, number: str, people: dict[int, Any], groups: dict[int, Any], *, at: datetime) -> Ticket:
    moment = min(new.created_at or at, at).replace(microsecond=0)
    none_id = entities.none_id()
    ticket = entities.Ticket(
        ticketno=number,
        ticketdesc=new.description,
        assignedtopeople_id=new.person_id or none_id,
        assignedtogroup_id=new.group_id or none_id,
        comments=new.comments,
        identifier="TICKET",
        bu_id=new.bu_id,
        client_id=new.client_id,
        priority=new.priority,
        ticketcategory_id=new.category_id or none_id,
        location_id=new.location_id or none_id,
        asset_id=new.asset_id or none_id,
        qset_id=new.qset_id or none_id,
        performedby_id=none_id,
        level=new.level,
        status=new.status,
        ticketsource=new.source,
        modifieddatetime=moment,
        cuser_id=new.creator_id or none_id,
        muser_id=new.modifier_id or new.creator_id or none_id,
        cdtz=moment,
        mdtz=moment,
        ctzoffset=new.ctzoffset,
        **({} if new.uuid is None else {"uuid": new.uuid}),
    )
    creator, person = people.get(new.creator_id or 0), people.get(new.person_id or 0)
    group = groups.get(new.group_id or 0)
    ticket.ticketlog = rules.with_item(
        None,
        rules.history_item(
            action="created",
            at=moment,
            person_id=new.creator_id or none_id,
            who=SYSTEM if creator is None else creator.peoplename,
            assigned_to=person.peoplename if person else group.groupname if group else "-",
            details=["created"],
            previous_state=state_of(ticket),
        ),
    )
    return ticket


def state_of(ticket: Ticket) -> dict[str, Any]:
    """The fields that the history remembers with each entry."""
    return {
        "ticketdesc": ticket.ticketdesc,
        "assignedtopeople": ticket.assignedtopeople_id,
        "assignedtogroup": ticket.assignedtogroup_id,
        "comments": ticket.comments,
        "status": ticket.status,
        "priority": ticket.priority,
        "location": ticket.location_id,
        "level": ticket.level,
        "isescalated": ticket.isescalated,
    }


def assignee_of(ticket: Ticket) -> str:
    """Name of the person who has the ticket, else of the group, else "-"."""
    if not entities.is_none(ticket.assignedtopeople_id) and ticket.assignedtopeople is not None:
        return ticket.assignedtopeople.peoplename
    if not entities.is_none(ticket.assignedtogroup_id) and ticket.assignedtogroup is not None:
        return ticket.assignedtogroup.groupname
    return "-"


def _take_number(client_id: int, site_id: int) -> tuple[int, bool]:
    """The site's next number, and whether its numbers have the site's id in them."""
    # Two statements on purpose: under READ COMMITTED the second one sees what was committed while the first one waited.
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, [f"task_catalog.ticket:{client_id}:{site_id}"])
    running = Cast(Func(F("ticketno"), Value(rules.NUMBER_PATTERN), function="substring"), BigIntegerField())
    found = entities.Ticket.objects.filter(client_id=client_id, bu_id=site_id).aggregate(
        highest=Max(running), with_id=Count("pk", filter=Q(ticketno__contains=f"-{site_id}#"))
    )
    return int(found["highest"] or 0) + 1, bool(found["with_id"])
