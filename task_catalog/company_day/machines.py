"""Machines that change their running status on the day, which the control room wants to hear (catalog.md 5.7)."""

from __future__ import annotations

from datetime import date, datetime

from task_catalog import entities

from .agenda import Agenda
from .company import ClientRows, Company
from .definitions import ASSETS_PER_SITE, midnight
from .traffic import ASSET_CHANGE_EVERY, ASSET_CHANGES, FIRST_ASSET_CHANGE_AFTER


class Machines:
    """Changes dealt to the clients in turn, and there to the machines in turn."""

    def __init__(self, company: Company, day: date, agenda: Agenda) -> None:
        clients = list(company.clients.values())
        for number in range(ASSET_CHANGES):
            at = midnight(day) + FIRST_ASSET_CHANGE_AFTER + number * ASSET_CHANGE_EVERY
            rows, turn = clients[number % len(clients)], number // len(clients)
            agenda.note(at, rows.id, _change, rows, turn, at)


def _change(rows: ClientRows, turn: int, at: datetime) -> None:
    """One that is not scrapped goes from work to standby, or back; saved as a page saves it."""
    place, number = turn % len(rows.assets), turn // len(rows.assets) % (ASSETS_PER_SITE - 1)
    asset = entities.Asset.objects.select_for_update().get(pk=rows.assets[place][number].pk)
    asset.runningstatus = "STANDBY" if asset.runningstatus == "WORKING" else "WORKING"
    asset.mdtz = at
    asset.save()
