"""A punch of a site crisis raises a ticket at once, and sees to it that somebody hears of it when nobody acts (R-TKT)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from django.db.models import Q

from task_catalog import entities
from task_catalog.email.tickets import send_ticket_email
from task_catalog.mobile.context import Context
from task_catalog.mobile.reading import Row
from task_catalog.rules.recipients import SITE_IN_CHARGE, is_true
from task_catalog.tickets import NewTicket, create_tickets
from youtility_tasks import effects, enqueue_many

if TYPE_CHECKING:
    from task_catalog.facility.models import People as Person
    from task_catalog.facility.models import TypeAssist

KIND, CATEGORY = "SITECRISIS", "TC_SITECRISIS"
LEVEL = 1
"""At which such a ticket begins; the row of the matrix leads to the next one."""
MINUTES_TO_NEXT = 30


def look(context: Context, punches: Sequence[Row]) -> None:
    """Raise a ticket for each of these new punches that tells of a crisis; in the caller's transaction, once a punch."""
    named = (row.values.get("peventtype") for row in punches)
    types = {pk for pk in named if pk is not None and not entities.is_none(pk)}
    if not types:
        return
    crises = {
        word.pk: word for word in entities.TypeAssist.objects.filter(pk__in=types, tatype__tacode=KIND).order_by("pk")
    }
    told = [
        row for row in punches if row.values.get("peventtype") in crises and not entities.is_none(row.values.get("bu"))
    ]
    new = effects.once_many([f"sitecrisis:{row.key}" for row in told])
    told = [row for row in told if f"sitecrisis:{row.key}" in new]
    if told:
        _raise(context, told, crises)


def _raise(context: Context, punches: Sequence[Row], crises: dict[int, TypeAssist]) -> None:
    category = _category(context)
    managers = _managers(context, {row.values["bu"] for row in punches})
    tickets = create_tickets(
        [
            NewTicket(
                client_id=context.client_id,
                bu_id=row.values["bu"],
                description=f"{crises[row.values['peventtype']].taname} reported: {row.values.get('remarks') or '-'}",
                category_id=category.pk,
                priority="HIGH",
                person_id=managers.get(row.values["bu"]),
                creator_id=row.values.get("people"),
                ctzoffset=-1 if row.values.get("ctzoffset") is None else row.values["ctzoffset"],
                source="SYSTEMGENERATED",
                level=LEVEL,
            )
            for row in punches
        ],
        at=context.now,
    )
    # The numbers of these sites are locked until the transaction ends, so that the rows are made once.
    _see_to_next_level(context, category, {row.values["bu"] for row in punches}, managers)
    enqueue_many(send_ticket_email, [{"id": ticket.pk, "event": "created"} for ticket in tickets])


def _category(context: Context) -> TypeAssist:
    whose = Q(client_id=context.client_id) | entities.points_nowhere("client")
    found = entities.TypeAssist.objects.filter(whose, tacode=CATEGORY).order_by("-client_id", "pk")
    own = [word for word in found if word.client_id == context.client_id]
    if own or found:
        return own[0] if own else found[0]
    kinds = entities.TypeAssist.objects.filter(whose, tacode="TICKETCATEGORY").order_by("pk")
    kind = kinds.values_list("pk", flat=True).first() or entities.none_id()
    stamps = {
        "cdtz": context.moment,
        "mdtz": context.moment,
        "cuser_id": entities.none_id(),
        "muser_id": entities.none_id(),
    }
    word, _ = entities.TypeAssist.objects.get_or_create(
        tacode=CATEGORY,
        tatype_id=kind,
        client_id=context.client_id,
        defaults={"taname": "Site crisis", "bu_id": context.client_id, **stamps},
    )
    return word


def _managers(context: Context, sites: set[int]) -> dict[int, int]:
    """Who is told at each site: who is entered as in charge, else who has that role there, else an emergency contact."""
    entered = dict(
        entities.BusinessUnit.objects.filter(pk__in=sites, siteincharge__client_id=context.client_id)
        .exclude(entities.points_nowhere("siteincharge"))
        .values_list("pk", "siteincharge_id")
    )
    in_charge = Q(designation__tacode=SITE_IN_CHARGE) | Q(worktype__tacode=SITE_IN_CHARGE)
    candidates = list(
        entities.Person.objects.filter(client_id=context.client_id, enable=True)
        .filter(Q(in_charge, bu_id__in=sites) | Q(people_extras__has_key="isemergencycontact"))
        .exclude(pk=entities.none_id())
        .select_related("designation", "worktype")
        .order_by("pk")
    )
    emergency = next(
        (person.pk for person in candidates if is_true(person.people_extras.get("isemergencycontact"))), None
    )
    found: dict[int, int] = {}
    for site in sites:
        of_site = next((person.pk for person in candidates if person.bu_id == site and _leads(person)), None)
        chosen = entered.get(site) or of_site or emergency
        if chosen is not None:
            found[site] = chosen
    return found


def _leads(person: Person) -> bool:
    return SITE_IN_CHARGE in (
        person.designation.tacode if person.designation else "",
        person.worktype.tacode if person.worktype else "",
    )


def _see_to_next_level(context: Context, category: TypeAssist, sites: set[int], managers: dict[int, int]) -> None:
    """A row of the matrix for each site that has none for such tickets, and for which there is none for all sites."""
    there = entities.EscalationMatrix.objects.filter(
        entities.points_nowhere("job"), client_id=context.client_id, escalationtemplate=category, level=LEVEL + 1
    )
    covered = set(there.values_list("bu_id", flat=True))
    if {context.client_id, entities.none_id(), None} & covered:
        return
    none_id = entities.none_id()
    entities.EscalationMatrix.objects.bulk_create(
        [
            entities.EscalationMatrix(
                escalationtemplate=category,
                level=LEVEL + 1,
                frequency="MINUTE",
                frequencyvalue=MINUTES_TO_NEXT,
                assignedperson_id=managers.get(site, none_id),
                assignedgroup_id=none_id,
                assignedfor="PEOPLE",
                bu_id=site,
                client_id=context.client_id,
                job_id=none_id,
                cuser_id=none_id,
                muser_id=none_id,
                cdtz=context.moment,
                mdtz=context.moment,
            )
            for site in sorted(sites - covered)
        ]
    )
