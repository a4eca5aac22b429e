"""A vendor's monthly score as its mails and its PDF show it (R-SLA)."""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import Any

from django.db import transaction

from task_catalog import documents, entities, forms, permits
from task_catalog.documents import Document
from task_catalog.forms import Form
from task_catalog.offsets import Offsets
from task_catalog.rules import scores as rules
from task_catalog.rules.local_time import local, shown
from task_catalog.rules.scores import HISTORY_MONTHS, Month, Score
from youtility_tasks import BadInput, TaskContext, current_tenant

KIND = "SLA"
DEFAULT_NAME = "Vendor performance"


def load(task_name: str, **where: Any) -> Form:
    """The current tenant's score form with this `pk` or `uuid`. Raises BadInput when there is none."""
    tenant_id = current_tenant()
    form = None if tenant_id is None else forms.find(KIND, client_id=tenant_id, **where)
    if form is None:
        asked = ", ".join(f"{name} {value}" for name, value in where.items())
        raise BadInput(
            f"{task_name}: client {tenant_id} has no vendor score with {asked}. Was it deleted, or is it another client's?"
        )
    return form


def checked_uuid(task_name: str, given: object) -> uuid.UUID:
    """A form's uuid. Raises BadInput for anything else."""
    try:
        return uuid.UUID(given if isinstance(given, str) else "")
    except ValueError:
        raise BadInput(f"{task_name}: wom_id is {given!r:.100}; right is the uuid of a vendor score.") from None


def name_of(form: Form) -> str:
    """What the form is called."""
    return form.name or DEFAULT_NAME


def stored_score(form: Form) -> Decimal | None:
    """The score that was stored when the approvers were asked; None before that."""
    return rules.as_score(form.other_data.get("overall_score"))


def store(form: Form, score: Score) -> Decimal:
    """Store a score with its form, the first time only; the one that is stored now (D25: written once)."""
    with transaction.atomic():
        row = entities.WorkOrder.objects.select_for_update(of=("self",)).get(pk=form.row.pk)
        data = row.other_data if isinstance(row.other_data, dict) else {}
        found = rules.as_score(data.get("overall_score"))
        if found is not None:
            return found
        new = {"overall_score": float(score.overall), "remarks": score.remarks}
        if score.uptime:
            new["uptime_score"] = score.uptime
        # Not save(): an adopter's signals on Wom would number it again.
        entities.WorkOrder.objects.filter(pk=row.pk).update(other_data={**data, **new})
    return score.overall


def month_of(form: Form, offsets: Offsets) -> Month:
    """The month that is scored."""
    row = form.row
    offset = offsets.of(row.ctzoffset, client_id=row.client_id, bu_id=row.bu_id)
    return rules.service_month(form.other_data.get("month"), local(row.cdtz, offset))


def year_before(form: Form, month: Month, offsets: Offsets) -> list[tuple[Month, Decimal | None]]:
    """The approved scores of this vendor at this site in the twelve months before; one query."""
    row = form.row
    if form.vendor is None:
        return rules.year_before(month, [])
    approved = (
        entities.WorkOrder.objects.filter(
            identifier=KIND,
            client_id=row.client_id,
            bu_id=row.bu_id,
            vendor_id=form.vendor.pk,
            workpermit="APPROVED",
            cdtz__year__gte=month.before(HISTORY_MONTHS).year,
        )
        .filter(entities.points_nowhere("parent"))
        .exclude(pk=row.pk)
        .order_by("cdtz", "pk")
    )
    offset = offsets.of(row.ctzoffset, client_id=row.client_id, bu_id=row.bu_id)
    scores = []
    for each in approved.only("other_data", "cdtz"):
        data = each.other_data if isinstance(each.other_data, dict) else {}
        score = rules.as_score(data.get("overall_score"))
        if score is not None:
            scores.append((rules.service_month(data.get("month"), local(each.cdtz, offset)), score))
    return rules.year_before(month, scores)


def head_of(form: Form, month: Month) -> dict[str, Any]:
    """What every mail on a score tells."""
    approvers = ", ".join(each.name or each.code for each in permits.approvers(form)) or "-"
    return {
        "report": name_of(form),
        "number": permits.number_of(form),
        "site": form.site,
        "vendor": form.vendor_name,
        "month": month.name,
        "year": str(month.year),  # as a number it would get a thousands separator where the settings ask for one
        "approvers": approvers,
    }


def document(form: Form, overall: Decimal, month: Month, context: TaskContext, offsets: Offsets) -> Document:
    """The score's PDF, under a name that no other form has."""
    row = form.row
    name = documents.file_name("score", form.vendor_name, month, form.site, row.pk)

    def facts() -> dict[str, Any]:
        offset = offsets.of(row.ctzoffset, client_id=row.client_id, bu_id=row.bu_id)
        score = rules.score_of(form.sections)
        return {
            **head_of(form, month),
            "title": name_of(form),
            "overall": str(overall),  # as text: a number would follow the language of the process
            "score": score,
            "sections": form.sections,
            "history": [
                {
                    "month": f"{each.name[:3]} {each.year}",
                    "score": "" if value is None else str(value),
                    "height": int(value or 0) // 5,
                }
                for each, value in year_before(form, month, offsets)
            ],
            "approval_status": row.workpermit,
            "changed": shown(row.mdtz, offset),
        }

    return Document(context, name, "score", facts)
