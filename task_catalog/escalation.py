"""Reads a client's escalation matrix for the rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from task_catalog import entities
from task_catalog.rules import tickets as rules
from task_catalog.rules.tickets import MatrixRow

if TYPE_CHECKING:
    from task_catalog.facility.models import EscalationMatrix, Ticket


class Matrix:
    """The steps of one client's tickets, read once; the rows that belong to a plan's reminders are not among them."""

    def __init__(self, client_id: int) -> None:
        self._client_id = client_id
        found = entities.EscalationMatrix.objects.filter(entities.points_nowhere("job"), client_id=client_id)
        self._stored = {row.pk: row for row in found.order_by("pk")}
        self._rows = [_as_rule(row) for row in self._stored.values()]

    def step(self, ticket: Ticket, level: int) -> MatrixRow | None:
        """The one step that leads this ticket to `level`."""
        return rules.step_for(
            self._rows,
            client_id=self._client_id,
            site_id=ticket.bu_id,
            category_id=ticket.ticketcategory_id,
            level=level,
            none_id=entities.none_id(),
        )

    def stored(self, step: MatrixRow) -> EscalationMatrix:
        """The table row behind a step, for its text and its address."""
        return self._stored[step.id]

    def flaws(self) -> list[tuple[int, str]]:
        """Rows that cannot be used: id and why."""
        return [(row.id, flaw) for row in self._rows if (flaw := rules.flaw_of(row)) is not None]


def _as_rule(row: EscalationMatrix) -> MatrixRow:
    return MatrixRow(
        id=row.pk,
        client_id=row.client_id,
        bu_id=row.bu_id,
        category_id=row.escalationtemplate_id,
        level=row.level,
        frequency=row.frequency,
        value=row.frequencyvalue,
        person_id=row.assignedperson_id,
        group_id=row.assignedgroup_id,
    )
