"""Permits and vendors' scores: how each one stands at the end of the day."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from task_catalog import entities
from task_catalog.company_day.company import Company
from task_catalog.company_day.expected import Totals

from .letters import by_client

if TYPE_CHECKING:
    from task_catalog.facility.models import Wom

_ENDS = {
    ("COMPLETED", "APPROVED", "APPROVED"): "returned",
    ("INPROGRESS", "APPROVED", "APPROVED"): "approved",
    ("CANCELLED", "PENDING", "APPROVED"): "cancelled",
    ("CANCELLED", "PENDING", "REJECTED"): "rejected",
}
"""Work, approval, verification -> how a permit has ended."""


def count_papers(company: Company) -> Totals:
    """The totals of permits and scores."""
    forms = entities.WorkOrder.objects.filter(client_id__in=company.client_ids)
    permits = list(forms.filter(identifier="WP").order_by("pk"))
    ends = Counter(
        _ENDS.get((permit.workstatus, permit.workpermit, permit.verifiers_status), "otherwise") for permit in permits
    )
    scores: Counter[str] = Counter()
    found: dict[str, str] = {}
    for form in forms.filter(identifier="SLA").order_by("cdtz", "pk"):
        letter = company.letter_of(form.client_id or 0)
        scores[letter] += 1
        found[f"{letter}{scores[letter]}"] = _score(form)
    return {
        "permits": by_client(company, (permit.client_id for permit in permits)),
        "permits at the end": {**dict.fromkeys(_ENDS.values(), 0), **ends, "all": ends.total()},
        "vendors' scores": dict(sorted(found.items())),
        "sites whose permit numbers have a gap or a double": _faulty_sites(permits),
    }


def _score(form: Wom) -> str:
    stored = form.other_data.get("overall_score")
    return "-" if stored is None else f"{float(stored):.2f}"


def _faulty_sites(permits: list[Wom]) -> int:
    """Sites whose permits are not numbered from 1 to n, each number once."""
    numbers = defaultdict(list)
    for permit in permits:
        numbers[permit.bu_id].append(permit.other_data.get("wp_seqno") or 0)
    return sum(sorted(found) != list(range(1, len(found) + 1)) for found in numbers.values())
