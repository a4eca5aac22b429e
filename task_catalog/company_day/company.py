"""The company of the played day as rows: which ids its clients, sites, people and plans have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from .definitions import Client, Plan

if TYPE_CHECKING:
    from task_catalog.facility.models import Asset, Bt, People, Pgroup, Question, QuestionSet, TypeAssist, Vendor


@dataclass(slots=True)
class ClientRows:
    """The rows of one client that others point to."""

    client: Client
    unit: Bt
    sites: list[Bt]
    words: dict[str, TypeAssist] = field(default_factory=dict)
    people: dict[str, list[People]] = field(default_factory=dict)
    """By role, of the client itself: admin, verifier, approver."""
    site_people: list[dict[str, list[People]]] = field(default_factory=list)
    """By role, of each site: incharge, guard, technician."""
    assets: list[list[Asset]] = field(default_factory=list)
    checkpoints: list[list[Asset]] = field(default_factory=list)
    qsets: dict[str, QuestionSet] = field(default_factory=dict)
    sections: dict[str, list[QuestionSet]] = field(default_factory=dict)
    """Of each form, by its name, in order."""
    questions: dict[int, list[Question]] = field(default_factory=dict)
    """Of each section, by its id, in order."""
    vendor: Vendor | None = None
    site_group: Pgroup | None = None
    guard_group: Pgroup | None = None

    @property
    def id(self) -> int:
        return self.unit.pk

    @property
    def workers(self) -> list[People]:
        """Everybody who works at a site, site by site."""
        return [person for staff in self.site_people for people in staff.values() for person in people]

    @property
    def admin(self) -> People:
        """Who made the client's rows."""
        return self.people["admin"][0]

    def stamps(self, made_at: datetime, maker_id: int | None = None) -> dict[str, Any]:
        """The columns that say who made a row of the client, when, in which wall clock; by default its first admin."""
        maker_id = maker_id or self.admin.pk
        return {
            "cuser_id": maker_id,
            "muser_id": maker_id,
            "cdtz": made_at,
            "mdtz": made_at,
            "ctzoffset": self.client.offset_min,
        }


@dataclass(frozen=True, slots=True)
class Company:
    """All clients by their letter, and the plans that must produce by their id."""

    clients: Mapping[str, ClientRows]
    plans: Mapping[int, Plan]
    idle_plan_ids: frozenset[int]

    @property
    def client_ids(self) -> list[int]:
        return [rows.id for rows in self.clients.values()]

    def guard_of(self, site_id: int) -> int:
        """The id of a guard of a site."""
        for rows in self.clients.values():
            for site, staff in zip(rows.sites, rows.site_people, strict=True):
                if site.pk == site_id:
                    return staff["guard"][0].pk
        return next(iter(self.clients.values())).admin.pk

    def letter_of(self, client_id: int) -> str:
        """The letter of a client; "?" for any other id."""
        return next((letter for letter, rows in self.clients.items() if rows.id == client_id), "?")


def unit_code(client: Client) -> str:
    """`bucode` of a client of the day, by which it is known again."""
    return f"DAY-{client.letter}"


def domain(client: Client) -> str:
    """The mail domain of everybody who belongs to a client."""
    return f"client-{client.letter.lower()}.example"
