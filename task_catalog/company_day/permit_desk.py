"""What people decide about permits to work on the day: asked for, verified, approved, cancelled, returned (catalog.md 5.5)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from task_catalog import entities
from task_catalog.email.work_permits import send_email_notification_for_wp as ask_the_old_way
from task_catalog.flows import work_permit
from task_catalog.flows.work_permit import Gate, Outcome

from .agenda import Agenda
from .company import ClientRows, Company
from .definitions import midnight
from .devices import Devices
from .identity import uuid_of
from .papers import Sheet, write_sections, write_sheet
from .paperwork import (
    APPROVED_AFTER,
    CANCELLED_AFTER,
    FIRST_PERMIT_AFTER,
    LEGACY_AFTER,
    PERMIT_EVERY,
    PERMIT_NAMES,
    PERMIT_SECTIONS,
    PERMIT_TURNS,
    RETURN_SECTION,
    RETURNED_AFTER,
    VERIFIED_AFTER,
)
from .seed_office import addresses

if TYPE_CHECKING:
    from task_catalog.facility.models import Wom


@dataclass(frozen=True, slots=True)
class Permit:
    """Permit `number` of a client."""

    rows: ClientRows
    number: int
    uuid: UUID
    at: datetime

    @property
    def name(self) -> str:
        return PERMIT_NAMES[self.number % len(PERMIT_NAMES)]

    @property
    def sheet(self) -> Sheet:
        """What is filled in: every section but the one that is completed on return."""
        typed = addresses(self.rows)
        answers = {
            section: [f"{text}: yes" for text in texts] if section != "EMAIL" else [typed[0], ",".join(typed[1:])]
            for section, texts in PERMIT_SECTIONS.items()
        }
        site = self.rows.sites[self.number % len(self.rows.sites)]
        return Sheet(self.rows, site, self.name, "WP", self.uuid, self.at, answers)


class PermitDesk:
    """Permits of each client, dealt to its sites in turn; the even ones on the web, the odd ones from a device."""

    def __init__(self, company: Company, day: date, agenda: Agenda, devices: Devices) -> None:
        self._devices = devices
        self._agenda = agenda
        for letter, rows in company.clients.items():
            for number in range(rows.client.permits):
                at = midnight(day) + FIRST_PERMIT_AFTER + number * PERMIT_EVERY
                self._expect(Permit(rows, number, uuid_of(day, letter, "permit", number), at))

    def _expect(self, permit: Permit) -> None:
        end = PERMIT_TURNS[permit.number % len(PERMIT_TURNS)]
        self._note(permit, permit.at, self._ask)
        if permit.number == 0:
            self._note(permit, permit.at + LEGACY_AFTER, self._ask_the_old_way)
        self._note(permit, permit.at + VERIFIED_AFTER, self._refuse if end == "rejected" else self._verify)
        if end in ("approved", "returned"):
            self._note(permit, permit.at + APPROVED_AFTER, self._approve)
        if end == "cancelled":
            self._note(permit, permit.at + CANCELLED_AFTER, self._cancel)
        if end == "returned":
            self._note(permit, permit.at + RETURNED_AFTER, self._return)

    def _note(self, permit: Permit, at: datetime, do: Callable[[Permit, datetime], None]) -> None:
        self._agenda.note(at, permit.rows.id, do, permit, at)

    def _ask(self, permit: Permit, at: datetime) -> None:
        if permit.number % 2:
            self._devices.ask_permit(permit.sheet)
            return
        wom = write_sheet(permit.sheet)
        hints = _hints(wom, wom.verifiers_status)
        work_permit.begin(
            permit.uuid, from_mobile=False, womid=wom.pk, verifiers=wom.verifiers, client_id=permit.rows.id, **hints
        )

    def _ask_the_old_way(self, permit: Permit, at: datetime) -> None:
        wom = _found(permit)
        ask_the_old_way.enqueue(womid=wom.pk, approvers=wom.approvers, client_id=permit.rows.id, bu_id=wom.bu_id)

    def _verify(self, permit: Permit, at: datetime) -> None:
        wom = _found(permit)
        _decide(wom, "wp_verifiers", "APPROVED")
        wom.verifiers_status = "APPROVED"
        _store(wom, at)
        facts = {
            "womid": wom.pk,
            "approvers_code": wom.approvers,
            "client_id": permit.rows.id,
            **_hints(wom, wom.workpermit),
        }
        work_permit.decide(permit.uuid, Gate.VERIFICATION, Outcome.ACCEPTED, facts)

    def _refuse(self, permit: Permit, at: datetime) -> None:
        """The first verifier says no; nobody needs to hear the second one."""
        wom = _found(permit)
        wom.other_data["wp_verifiers"][0]["status"] = "REJECTED"
        wom.verifiers_status, wom.workstatus = "REJECTED", "CANCELLED"
        _store(wom, at)
        work_permit.decide(permit.uuid, Gate.VERIFICATION, Outcome.REJECTED, {})

    def _approve(self, permit: Permit, at: datetime) -> None:
        wom = _found(permit)
        _decide(wom, "wp_approvers", "APPROVED")
        wom.workpermit, wom.workstatus = "APPROVED", "INPROGRESS"
        _store(wom, at)
        work_permit.decide(permit.uuid, Gate.APPROVAL, Outcome.ACCEPTED, _facts(wom, wom.workpermit))

    def _cancel(self, permit: Permit, at: datetime) -> None:
        wom = _found(permit)
        wom.workstatus = "CANCELLED"
        wom.remarks = [*wom.remarks, {"people": permit.rows.people["approver"][0].peoplecode, "remarks": "Too windy"}]
        _store(wom, at)
        work_permit.cancel(permit.uuid, _facts(wom, wom.workstatus))

    def _return(self, permit: Permit, at: datetime) -> None:
        wom = _found(permit)
        answers = {section: ["yes"] * len(texts) for section, texts in RETURN_SECTION.items()}
        write_sections(permit.rows, wom, permit.name, answers, at)
        wom.workstatus = "COMPLETED"
        _store(wom, at)
        work_permit.decide(permit.uuid, Gate.RETURN, Outcome.ACCEPTED, _facts(wom, wom.workstatus))


def _found(permit: Permit) -> Wom:
    return (
        entities.WorkOrder.objects.select_for_update(of=("self",)).select_related("bu", "vendor").get(uuid=permit.uuid)
    )


def _decide(wom: Wom, who: str, status: str) -> None:
    for item in wom.other_data[who]:
        item["status"] = status


def _store(wom: Wom, at: datetime) -> None:
    wom.mdtz = at
    wom.save()


def _hints(wom: Wom, status: str) -> dict[str, Any]:
    """What the pages pass along; the tasks believe the database."""
    return {
        "sitename": wom.bu.buname if wom.bu else "",
        "workpermit_status": status,
        "permit_name": wom.other_data["wp_name"],
        "vendor_name": wom.vendor.name if wom.vendor else "",
    }


def _facts(wom: Wom, status: str) -> dict[str, Any]:
    return {**_hints(wom, status), "wom_id": wom.pk, "pdf_path": None, "permit_no": wom.other_data["wp_seqno"]}
