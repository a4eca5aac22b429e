"""Makes the company's data at 00:00 of the day (catalog.md 5.1): who is where, and what they look after."""

from __future__ import annotations

import random
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from django.db import transaction

from task_catalog import entities
from task_catalog.facility.clients import create_client, create_site
from task_catalog.facility.sentinels import ensure_sentinels

from .company import ClientRows, Company, domain, unit_code
from .definitions import (
    ASSETS_PER_SITE,
    CHECKPOINTS_PER_SITE,
    CLIENTS,
    EXPIRED_SESSIONS,
    PEOPLE_PER_CLIENT,
    PEOPLE_PER_SITE,
    SESSIONS,
    SESSIONS_EXPIRE_BEFORE,
    TICKET_CATEGORY,
    Client,
    midnight,
)
from .seed_office import make_office
from .seed_plans import GROUP_SITE, make_plans, make_question_sets

if TYPE_CHECKING:
    from task_catalog.facility.models import Asset

SESSION_PREFIX = "company-day-"

_VOCABULARY = {
    "NOTIFYCATEGORY": ("AUTOCLOSED", "AUTOCLOSENOTIFY", "RAISETICKETNOTIFY"),
    "TICKETCATEGORY": (TICKET_CATEGORY,),
    "ESCALATIONTEMPLATE": ("JOB",),
    "DESIGNATION": ("SITEINCHARGE", "GUARD", "TECHNICIAN", "ADMIN", "VERIFIER", "APPROVER"),
    "PEOPLEEVENT": ("SELFATTENDANCE", "MARKATTENDANCE"),
    "APPROVERFOR": ("WORKPERMIT", "SLA_TEMPLATE"),
    "GROUPKIND": ("PEOPLEGROUP", "SITEGROUP"),
}
_DESIGNATIONS = {"incharge": "SITEINCHARGE"}
_FIRST_NAMES = ("Asha", "Bilal", "Chen", "Dina", "Emeka", "Farah", "Goran", "Hana", "Ivo", "Joana", "Kofi", "Lena")
_LAST_NAMES = ("Abadi", "Berg", "Castro", "Dube", "Engel", "Fonseca", "Gupta", "Haas", "Iyer", "Jansen", "Kaya")
_PLACES = ("Harbour", "Mill", "Station", "Garden", "Market", "River", "Hill", "Tower", "Bridge", "Park")
_MACHINES = ("Boiler", "Chiller", "Lift", "Generator", "Pump", "Transformer", "Fire panel", "Air handler", "Gate")


@transaction.atomic
def seed_company(day: date, *, scale: int = 1, seed: int = 0) -> Company:
    """Make the clients of the day with everything that the tasks read; returns what has which id.

    The numbers follow from `scale` alone; `seed` only picks names, so no total depends on it. The rows of an earlier
    day must be gone (`removal.remove_company`).
    """
    ensure_sentinels()
    names = random.Random(seed)  # noqa: S311 - names, not secrets
    made_at = midnight(day) - timedelta(days=30)
    clients = {client.letter: _make_client(client, scale, made_at, names) for client in CLIENTS}
    for rows in clients.values():
        make_office(rows, day, made_at)
    plans, idle = make_plans(clients, day, scale, names)
    _make_sessions(day)
    return Company(clients, plans, idle)


def _make_client(client: Client, scale: int, made_at: datetime, names: random.Random) -> ClientRows:
    name = f"{names.choice(_PLACES)} Holdings {client.letter}"
    unit = create_client(name, unit_code(client), at=made_at, ctzoffset=client.offset_min)
    sites = [
        create_site(
            unit,
            f"{names.choice(_PLACES)} {client.letter}{number:03}",
            f"{unit_code(client)}-{number:03}",
            at=made_at,
            solid=f"{number:03}",
            gpslocation=_point(client, number),
        )
        for number in range(client.sites(scale))
    ]
    rows = ClientRows(client, unit, sites)
    _make_vocabulary(rows, made_at)
    _make_people(rows, made_at, names)
    _make_assets(rows, made_at, names)
    _make_groups(rows, made_at)
    make_question_sets(rows, made_at)
    return rows


def _point(client: Client, site: int, spot: int = 0) -> str:
    latitude, longitude = {"A": (19.0, 72.8), "B": (51.5, -0.1), "C": (40.7, -74.0)}[client.letter]
    return f"{latitude + site * 0.01 + spot * 0.0005:.4f},{longitude + site * 0.01:.4f}"


def _make_vocabulary(rows: ClientRows, made_at: datetime) -> None:
    none_id = entities.none_id()
    common = {**rows.stamps(made_at, none_id), "client_id": rows.id, "bu_id": rows.id}
    kinds = entities.TypeAssist.objects.bulk_create(
        entities.TypeAssist(tacode=code, taname=code.title(), tatype_id=none_id, **common) for code in _VOCABULARY
    )
    words = entities.TypeAssist.objects.bulk_create(
        entities.TypeAssist(tacode=code, taname=code.replace("_", " ").title(), tatype=kind, **common)
        for kind in kinds
        for code in _VOCABULARY[kind.tacode]
    )
    rows.words = {word.tacode: word for word in words}


def _make_people(rows: ClientRows, made_at: datetime, names: random.Random) -> None:
    """People codes begin again at each client, on purpose: whoever looks one up without its client mixes them up."""
    none_id = entities.none_id()
    common = {**rows.stamps(made_at, none_id), "client_id": rows.id}
    places = [(rows.unit, PEOPLE_PER_CLIENT), *((site, PEOPLE_PER_SITE) for site in rows.sites)]
    wanted = [(unit, role) for unit, roles in places for role, count in roles.items() for _ in range(count)]
    people = entities.Person.objects.bulk_create(
        entities.Person(
            peoplecode=f"P{number:05}",
            peoplename=f"{names.choice(_FIRST_NAMES)} {names.choice(_LAST_NAMES)}",
            loginid=f"{unit_code(rows.client)}-p{number:05}".lower(),
            email=f"p{number:05}@{domain(rows.client)}",
            isadmin=role == "admin",
            peopleimg=f"people/{unit_code(rows.client)}-p{number:05}.jpg".lower(),
            isverified=True,
            bu=unit,
            designation=rows.words[_DESIGNATIONS.get(role, role.upper())],
            worktype_id=none_id,
            department_id=none_id,
            **common,
        )
        for number, (unit, role) in enumerate(wanted)
    )
    rows.people = {role: [] for role in PEOPLE_PER_CLIENT}
    rows.site_people = [{role: [] for role in PEOPLE_PER_SITE} for _ in rows.sites]
    positions = {site.pk: position for position, site in enumerate(rows.sites)}
    for person, (unit, role) in zip(people, wanted, strict=True):
        there = rows.people if unit is rows.unit else rows.site_people[positions[unit.pk]]
        there[role].append(person)
    for site, staff in zip(rows.sites, rows.site_people, strict=True):
        site.siteincharge = staff["incharge"][0]
    entities.BusinessUnit.objects.bulk_update(rows.sites, ["siteincharge"])


def _make_assets(rows: ClientRows, made_at: datetime, names: random.Random) -> None:
    none_id = entities.none_id()
    common = {
        **rows.stamps(made_at),
        "client_id": rows.id,
        "type_id": none_id,
        "category_id": none_id,
        "location_id": none_id,
        "parent_id": none_id,
    }
    assets, checkpoints = [], []
    for position, site in enumerate(rows.sites):
        for number in range(ASSETS_PER_SITE):
            scrapped = number == ASSETS_PER_SITE - 1
            assets.append(
                entities.Asset(
                    assetcode=f"A{number:02}",
                    assetname=f"{names.choice(_MACHINES)} {number}",
                    identifier="ASSET",
                    runningstatus="SCRAPPED" if scrapped else "WORKING",
                    bu=site,
                    gpslocation=_point(rows.client, position),
                    asset_json={"multifactor": 1},
                    **common,
                )
            )
        for number in range(CHECKPOINTS_PER_SITE):
            checkpoints.append(
                entities.Asset(
                    assetcode=f"C{number:02}",
                    assetname=f"{names.choice(_PLACES)} door {number}",
                    identifier="CHECKPOINT",
                    bu=site,
                    gpslocation=_point(rows.client, position, number),
                    **common,
                )
            )
    entities.Asset.objects.bulk_create(assets)
    entities.Asset.objects.bulk_create(checkpoints)
    rows.assets = _dealt(assets, ASSETS_PER_SITE)
    rows.checkpoints = _dealt(checkpoints, CHECKPOINTS_PER_SITE)


def _dealt(assets: list[Asset], per_site: int) -> list[list[Asset]]:
    return [assets[first : first + per_site] for first in range(0, len(assets), per_site)]


def _make_groups(rows: ClientRows, made_at: datetime) -> None:
    """A group of all sites, for the tour from site to site; at one client also a group of one site's guards."""
    none_id = entities.none_id()
    common = {**rows.stamps(made_at), "client_id": rows.id, "bu_id": rows.id}
    rows.site_group = entities.Group.objects.create(groupname="All sites", identifier=rows.words["SITEGROUP"], **common)
    entities.GroupMember.objects.bulk_create(
        entities.GroupMember(pgroup=rows.site_group, people_id=none_id, assignsites=site, **common)
        for site in rows.sites
    )
    if rows.client.letter == "A":
        rows.guard_group = entities.Group.objects.create(
            groupname="Guards", identifier=rows.words["PEOPLEGROUP"], **common
        )
        entities.GroupMember.objects.bulk_create(
            entities.GroupMember(pgroup=rows.guard_group, people=guard, assignsites_id=none_id, **common)
            for guard in rows.site_people[GROUP_SITE]["guard"]
        )


def _make_sessions(day: date) -> None:
    """Web sessions, of which some have ended before the clean-up comes by."""
    end = midnight(day) + SESSIONS_EXPIRE_BEFORE
    entities.Session.objects.bulk_create(
        entities.Session(
            session_key=f"{SESSION_PREFIX}{number:04}",
            session_data="",
            expire_date=end - timedelta(minutes=1 + number)
            if number < EXPIRED_SESSIONS
            else end + timedelta(days=1, minutes=number),
        )
        for number in range(SESSIONS)
    )
