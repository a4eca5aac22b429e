"""Who asks for which report on the day (catalog.md 5.6)."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from task_catalog.flows import report_on_demand

from .agenda import Agenda
from .company import ClientRows, Company
from .definitions import midnight
from .reporting import ASKED, ASKED_AFTER, Asked

_BEFORE_EVERYTHING = timedelta(days=20)
"""How long before the day nothing had been planned yet."""


class ReportDesk:
    """The requests of each client, all at once, about its first site."""

    def __init__(self, company: Company, day: date, agenda: Agenda) -> None:
        for rows in company.clients.values():
            for asked in ASKED:
                agenda.note(midnight(day) + ASKED_AFTER, rows.id, _ask, rows, asked, day)


def _ask(rows: ClientRows, asked: Asked, day: date) -> None:
    report_on_demand.begin(
        formdata=form(rows, asked, day),
        client_id=rows.id,
        user_email=rows.admin.email,
        user_id=rows.admin.pk,
    )


def form(rows: ClientRows, asked: Asked, day: date) -> dict[str, Any]:
    """What the page sends: dates for the summaries, instants for the lists; either way of the whole local day."""
    shown = day if asked.has_data else day - _BEFORE_EVERYTHING
    begins = midnight(shown) - timedelta(minutes=rows.client.offset_min)
    fields: dict[str, Any] = {
        "report_name": asked.code,
        "format": asked.format,
        "export_type": "SEND" if asked.is_sent else "DOWNLOAD",
        "site": rows.sites[0].pk,
        "ctzoffset": rows.client.offset_min,
        "fromdate": shown.isoformat(),
        "uptodate": shown.isoformat(),
        "fromdatetime": begins.isoformat(),
        "uptodatetime": (begins + timedelta(days=1)).isoformat(),
    }
    if asked.is_sent:
        fields |= {"to_addr": [rows.admin.email], "cc": [], "email_body": f"As you asked: {asked.code}"}
    return fields
