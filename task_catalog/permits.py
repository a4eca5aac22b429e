"""A work permit as its mails and its PDF show it (R-WP)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from task_catalog import documents, forms
from task_catalog.documents import Document
from task_catalog.forms import Form
from task_catalog.offsets import Offsets
from task_catalog.rules import permits as rules
from task_catalog.rules.local_time import shown
from task_catalog.rules.permits import Decider, State
from youtility_tasks import BadInput, TaskContext, current_tenant

KIND = "WP"


def load(task_name: str, womid: object, *, client_id: object = None, bu_id: object = None) -> Form:
    """The current tenant's permit. Raises BadInput when there is none, or when a passed id says another client or site."""
    if isinstance(womid, bool) or not isinstance(womid, int) or womid < 1:
        raise BadInput(f"{task_name}: the permit's id is {womid!r}; right is the id of a work permit.")
    tenant_id = current_tenant()
    if client_id is not None and client_id != tenant_id:
        raise BadInput(f"{task_name}: client_id is {client_id!r}, and the job belongs to client {tenant_id}.")
    form = None if tenant_id is None else forms.find(KIND, client_id=tenant_id, pk=womid)
    if form is None:
        raise BadInput(
            f"{task_name}: client {tenant_id} has no work permit {womid}. Was it deleted, or is the id of another client?"
        )
    if bu_id is not None and bu_id != form.row.bu_id:
        raise BadInput(f"{task_name}: bu_id is {bu_id!r}, and permit {womid} belongs to site {form.row.bu_id}.")
    return form


def name_of(permit: Form) -> str:
    """What kind of permit it is."""
    return permit.name or rules.GENERIC_NAME


def number_of(permit: Form) -> str:
    return "-" if permit.number is None else str(permit.number)


def state_of(permit: Form) -> State:
    row = permit.row
    return State(row.workpermit, row.verifiers_status, row.workstatus, permit.is_answered)


def verifiers(permit: Form) -> list[Decider]:
    return rules.deciders(permit.other_data, "wp_verifiers", permit.row.verifiers or [])


def approvers(permit: Form) -> list[Decider]:
    return rules.deciders(permit.other_data, "wp_approvers", permit.row.approvers or [])


def facts_of(permit: Form, *, status: str, name: str | None = None) -> list[tuple[str, object]]:
    """What every mail on a permit tells."""
    return [
        ("Permit", name or name_of(permit)),
        ("Number", number_of(permit)),
        ("Site", permit.site),
        ("Vendor", permit.vendor_name),
        ("Status", status),
    ]


def document(permit: Form, context: TaskContext, offsets: Offsets) -> Document:
    """The permit's PDF, under a name that no other permit has."""
    row = permit.row
    name = documents.file_name(name_of(permit), number_of(permit), permit.site, row.pk)

    def facts() -> dict[str, Any]:
        offset = offsets.of(row.ctzoffset, client_id=row.client_id, bu_id=row.bu_id)
        returned = rules.return_section(permit.sections)
        return {
            "title": name_of(permit),
            "number": number_of(permit),
            "site": permit.site,
            "vendor": permit.vendor_name,
            "sections": rules.body_sections(permit.sections),
            "returned": () if returned is None else returned.answers,
            "verified_by": _names_of_agreed(verifiers(permit)),
            "approved_by": _names_of_agreed(approvers(permit)),
            "verifiers_status": row.verifiers_status,
            "approval_status": row.workpermit,
            "work_status": row.workstatus,
            "changed": shown(row.mdtz, offset),
        }

    return Document(context, name, "permit", facts)


def _names_of_agreed(deciders: Sequence[Decider]) -> list[str]:
    return [each.name or each.code for each in deciders if each.status == rules.APPROVED]
