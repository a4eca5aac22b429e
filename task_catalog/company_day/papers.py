"""A filled-in form as rows: the form itself, its sections, their answers; a permit or a vendor's score."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from task_catalog import entities

from .company import ClientRows

if TYPE_CHECKING:
    from task_catalog.facility.models import Bt, Wom


@dataclass(frozen=True, slots=True)
class Sheet:
    """A form that somebody of a client has filled in at a site; `answers` by the names of its sections."""

    rows: ClientRows
    site: Bt
    form: str
    identifier: str
    """WP or SLA."""
    uuid: UUID
    at: datetime
    answers: dict[str, list[str]]

    @property
    def deciders(self) -> dict[str, list[dict[str, str]]]:
        """Who must decide, in the words of `other_data`; nobody has yet."""
        roles = ("verifier", "approver") if self.identifier == "WP" else ("approver",)
        return {
            f"wp_{role}s": [
                {
                    "name": person.peoplename,
                    "peoplecode": person.peoplecode,
                    "identifier": role.upper(),
                    "status": "PENDING",
                }
                for person in self.rows.people[role]
            ]
            for role in roles
        }


def write_sheet(sheet: Sheet) -> Wom:
    """As the web does it, in the present transaction."""
    rows = sheet.rows
    assert rows.vendor is not None  # noqa: S101 - made with the client
    wom = entities.WorkOrder.objects.create(
        uuid=sheet.uuid,
        description=sheet.form,
        identifier=sheet.identifier,
        workpermit="PENDING",
        verifiers_status="PENDING" if sheet.identifier == "WP" else "NOT_REQUIRED",
        approvers=[person.peoplecode for person in rows.people["approver"]],
        verifiers=[person.peoplecode for person in rows.people["verifier"]] if sheet.identifier == "WP" else [],
        vendor=rows.vendor,
        qset=rows.qsets[sheet.form],
        parent_id=entities.none_id(),
        client_id=rows.id,
        bu=sheet.site,
        asset_id=entities.none_id(),
        location_id=entities.none_id(),
        ticketcategory_id=entities.none_id(),
        other_data={
            "wp_seqno": _next_number(sheet),
            "wp_name": sheet.form,
            "token": "",
            **sheet.deciders,
        },
        **rows.stamps(sheet.at),
    )
    write_sections(rows, wom, sheet.form, sheet.answers, sheet.at)
    return wom


def write_sections(rows: ClientRows, wom: Wom, form: str, answers: dict[str, list[str]], at: datetime) -> None:
    """Sections of a form with their answers, below the form's own row."""
    sections = {section.qsetname: section for section in rows.sections[form]}
    made = entities.WorkOrder.objects.bulk_create(
        entities.WorkOrder(
            description=name,
            qset=sections[name],
            parent=wom,
            seqno=sections[name].seqno,
            client_id=rows.id,
            bu_id=wom.bu_id,
            vendor_id=wom.vendor_id,
            **rows.stamps(at),
        )
        for name in answers
    )
    entities.WorkOrderDetail.objects.bulk_create(
        entities.WorkOrderDetail(wom=section, **facts, **rows.stamps(at))
        for section in made
        for facts in answered(rows, form, section.description, answers[section.description])
    )


def answered(rows: ClientRows, form: str, section: str, answers: list[str]) -> list[dict[str, Any]]:
    """The columns of a section's answers, one set each."""
    qset = next(each for each in rows.sections[form] if each.qsetname == section)
    return [
        {
            "question_id": question.pk,
            "qset_id": qset.pk,
            "seqno": n,
            "answertype": question.answertype,
            "answer": answer,
        }
        for n, (question, answer) in enumerate(zip(rows.questions[qset.pk], answers, strict=False), start=1)
    ]


def _next_number(sheet: Sheet) -> int:
    """Numbers run per client, site and kind. Nobody else writes forms at this moment: the jobs before have ended."""
    known = entities.WorkOrder.objects.filter(
        client_id=sheet.rows.id, bu=sheet.site, identifier=sheet.identifier
    ).values_list("other_data__wp_seqno", flat=True)
    return max((number or 0 for number in known), default=0) + 1
