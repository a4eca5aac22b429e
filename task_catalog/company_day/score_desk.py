"""What people decide about vendors' scores on the day (catalog.md 5.5)."""

from __future__ import annotations

from datetime import date, datetime

from task_catalog import entities
from task_catalog.flows import vendor_score

from .agenda import Agenda
from .company import Company
from .definitions import midnight
from .identity import uuid_of
from .papers import Sheet, write_sheet
from .paperwork import FIRST_SCORE_AFTER, SCORE_DECIDED_AFTER, SCORE_EVERY, SCORES, Score
from .seed_office import SCORE_FORM


class ScoreDesk:
    """The performance reports of each client, dealt to its sites in turn."""

    def __init__(self, company: Company, day: date, agenda: Agenda) -> None:
        for letter, rows in company.clients.items():
            for number, score in enumerate(SCORES[letter]):
                at = midnight(day) + FIRST_SCORE_AFTER + number * SCORE_EVERY
                answers = {section: list(given) for section, given in score.answers.items()}
                site = rows.sites[number % len(rows.sites)]
                sheet = Sheet(rows, site, SCORE_FORM, "SLA", uuid_of(day, letter, "score", number), at, answers)
                agenda.note(at, rows.id, _write, sheet)
                decided_at = at + SCORE_DECIDED_AFTER
                agenda.note(decided_at, rows.id, _decide, sheet, score, decided_at)


def _write(sheet: Sheet) -> None:
    wom = write_sheet(sheet)
    vendor_score.begin(form_id=wom.pk, uuid=sheet.uuid, site_name=sheet.site.buname)


def _decide(sheet: Sheet, score: Score, at: datetime) -> None:
    """All approvers accept, or the first of them rejects."""
    wom = entities.WorkOrder.objects.select_for_update().get(uuid=sheet.uuid)
    items = wom.other_data["wp_approvers"]
    for item in items if score.is_accepted else items[:1]:
        item["status"] = "APPROVED" if score.is_accepted else "REJECTED"
    wom.workpermit = "APPROVED" if score.is_accepted else "REJECTED"
    wom.workstatus = "COMPLETED" if score.is_accepted else "CANCELLED"
    wom.mdtz = at
    wom.save()
    vendor_score.decide(sheet.uuid, is_accepted=score.is_accepted)
