"""Reads the people a mail could be for; who of them gets it is decided in `rules.recipients`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from django.db.models import Q

from task_catalog import entities
from task_catalog.rules import recipients
from task_catalog.rules.recipients import Contact, Recipients

if TYPE_CHECKING:
    from task_catalog.facility.models import People

SITE_GROUP = "SITEGROUP"


def contact(person: People | None) -> Contact | None:
    """A person as the rules see one, without designation and work type."""
    return None if person is None else _contact(person)


def group_members(group_id: int | None, *, client_id: int) -> list[Contact]:
    """The people of a client's group; none for the NONE group."""
    if group_id is None or entities.is_none(group_id):
        return []
    members = (
        entities.GroupMember.objects.filter(pgroup_id=group_id, pgroup__client_id=client_id)
        .exclude(entities.points_nowhere("people"))
        .select_related("people")
        .order_by("pk")
    )
    return [found for member in members if (found := contact(member.people)) is not None]


def addresses(people: Iterable[Contact | None], *, client_id: int, extra: Iterable[str | None] = ()) -> Recipients:
    """The valid addresses of those people of the client, then the extra ones."""
    return recipients.addresses_of(people, client_id=client_id, none_id=entities.none_id(), extra=extra)


def name_of(person: People | None) -> str:
    """How a mail names a person; "-" for nobody."""
    return "-" if person is None or entities.is_none(person.pk) else person.peoplename


class SiteAudience:
    """Who hears of missed work at each site of one client: its in-charge and the client's admins.

    Two queries for the client, however many sites are asked for.
    """

    def __init__(self, client_id: int) -> None:
        self._client_id = client_id
        in_charge = Q(designation__tacode=recipients.SITE_IN_CHARGE) | Q(worktype__tacode=recipients.SITE_IN_CHARGE)
        wants_alerts = Q(people_extras__has_key="alertmails")
        people = (
            entities.Person.objects.filter(client_id=client_id, isverified=True)
            .filter(in_charge | Q(isadmin=True) | wants_alerts)
            .select_related("designation", "worktype")
            .order_by("pk")
        )
        self._people = [_with_roles(person) for person in people]
        self._groups: dict[int, set[int]] = defaultdict(set)
        memberships = entities.GroupMember.objects.filter(
            pgroup__client_id=client_id, pgroup__identifier__tacode=SITE_GROUP
        ).exclude(entities.points_nowhere("assignsites"))
        for site_id, group_id in memberships.values_list("assignsites_id", "pgroup_id"):
            if site_id is not None and group_id is not None:
                self._groups[site_id].add(group_id)

    def of(self, site_id: int | None) -> Recipients:
        """The addresses for one site."""
        in_charge: list[Contact] = []
        if site_id is not None:
            groups = self._groups.get(site_id, set())
            in_charge = recipients.site_in_charge(self._people, site_id=site_id, site_group_ids=groups)
        return addresses([*in_charge, *recipients.client_admins(self._people)], client_id=self._client_id)


def _with_roles(person: People) -> Contact:
    return replace(
        _contact(person),
        designation=person.designation.tacode if person.designation else "",
        worktype=person.worktype.tacode if person.worktype else "",
    )


def _contact(person: People) -> Contact:
    return Contact(
        id=person.pk,
        email=person.email,
        client_id=person.client_id,
        bu_id=person.bu_id,
        name=person.peoplename,
        is_verified=person.isverified,
        is_enabled=person.enable,
        is_admin=person.isadmin,
        extras=person.people_extras if isinstance(person.people_extras, dict) else {},
    )
