"""Reads a filled-in form, a work permit or a vendor's score: its row, its sections and its answers.

Three queries, however many sections and answers it has.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from task_catalog import entities
from task_catalog.rules.permits import Answer, Section

if TYPE_CHECKING:
    from task_catalog.facility.models import Vendor, Wom


_LONGEST_NUMBER = 18


@dataclass(frozen=True, slots=True)
class Form:
    """A work order with its sections, in order."""

    row: Wom
    sections: tuple[Section, ...]
    warnings: tuple[str, ...] = ()

    @property
    def other_data(self) -> dict[str, Any]:
        return self.row.other_data if isinstance(self.row.other_data, dict) else {}

    @property
    def number(self) -> int | None:
        """Its number within client, site and kind; None when nobody gave it one."""
        number = self.other_data.get("wp_seqno")
        if isinstance(number, str) and number.strip().isdecimal():
            return int(number) if len(number) <= _LONGEST_NUMBER else None
        return number if isinstance(number, int) and not isinstance(number, bool) else None

    @property
    def name(self) -> str:
        """What kind of form it is, as its readers know it; empty when nobody says."""
        stored = self.other_data.get("wp_name")
        if isinstance(stored, str) and stored.strip():
            return stored.strip()
        return "" if entities.is_none(self.row.qset_id) or self.row.qset is None else self.row.qset.qsetname

    @property
    def site(self) -> str:
        return "-" if entities.is_none(self.row.bu_id) or self.row.bu is None else self.row.bu.buname

    @property
    def vendor(self) -> Vendor | None:
        """The vendor, if he is one of this very client."""
        vendor = self.row.vendor
        return vendor if vendor is not None and vendor.client_id == self.row.client_id else None

    @property
    def vendor_name(self) -> str:
        return "-" if self.vendor is None else self.vendor.name

    @property
    def is_answered(self) -> bool:
        return any(section.answers for section in self.sections)


def find(kind: str, *, client_id: int, **where: Any) -> Form | None:
    """The client's form of this kind (`WP`, `SLA`) with these columns; None when there is none."""
    row = (
        entities.WorkOrder.objects.filter(client_id=client_id, identifier=kind, **where)
        .filter(entities.points_nowhere("parent"))
        .exclude(pk=entities.none_id())
        .select_related("bu", "qset", "vendor")
        .first()
    )
    if row is None:
        return None
    parts = list(
        entities.WorkOrder.objects.filter(parent_id=row.pk, client_id=client_id)
        .select_related("qset")
        .order_by("seqno", "pk")
    )
    answers: dict[int, list[Answer]] = defaultdict(list)
    details = (
        entities.WorkOrderDetail.objects.filter(wom_id__in=[part.pk for part in parts])
        .select_related("question")
        .order_by("seqno", "pk")
    )
    for detail in details:
        if detail.wom_id is not None:
            question = "-" if detail.question is None else detail.question.quesname
            answers[detail.wom_id].append(Answer(question, detail.answer or "", detail.answertype or ""))
    sections = tuple(
        Section(part.description, tuple(answers[part.pk]), "" if part.qset is None else part.qset.type)
        for part in parts
    )
    foreign = row.vendor is not None and row.vendor.client_id != client_id
    warnings = (f"vendor {row.vendor_id} belongs to another client and was left out",) if foreign else ()
    return Form(row, sections, warnings)
