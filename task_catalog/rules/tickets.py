"""Tickets: their numbers, their history and when they climb the escalation matrix (catalog.md R-TKT)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

LIVE = ("NEW", "OPEN", "ONHOLD")
"""Statuses in which a ticket still climbs (D17: the words CLOSE and CANCEL do not exist)."""

MINUTES_IN = {"MINUTE": 1, "HOUR": 60, "DAY": 1_440, "WEEK": 10_080}

NUMBER_PATTERN = "#([0-9]{1,15})$"
"""Finds the running number at the end of a ticket's number, in PostgreSQL and in Python."""


def ticket_number(bucode: str, n: int, *, site_id: int | None = None) -> str:
    """The number that people quote: `<site's code>#<n>`.

    With `site_id`, for a site whose code is another one's too: `<site's code>-<site's id>#<n>`.
    """
    return f"{bucode}#{n}" if site_id is None else f"{bucode}-{site_id}#{n}"


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixRow:
    """One step of the escalation matrix."""

    id: int
    client_id: int | None
    bu_id: int | None
    category_id: int | None
    level: int
    frequency: str | None
    value: int | None
    person_id: int | None = None
    group_id: int | None = None


def flaw_of(row: MatrixRow) -> str | None:
    """Why a matrix row cannot be used, or None when it can."""
    if row.frequency not in MINUTES_IN:
        return f"escalation row {row.id}: unknown frequency {row.frequency!r}; known: {', '.join(MINUTES_IN)}"
    if row.value is None or row.value < 0:
        return f"escalation row {row.id}: frequencyvalue is {row.value!r}; right is a whole number from 0"
    return None


def step_for(
    rows: Iterable[MatrixRow], *, client_id: int, site_id: int | None, category_id: int | None, level: int, none_id: int
) -> MatrixRow | None:
    """The one matrix row that leads to `level`: of the same site, else of the whole client; the lowest id wins.

    A row is the whole client's when its site is the client itself or NONE. Flawed rows do not count, and a ticket
    without a category never climbs.
    """
    if category_id is None or category_id == none_id:
        return None
    fitting = [
        row
        for row in rows
        if row.client_id == client_id and row.category_id == category_id and row.level == level and flaw_of(row) is None
    ]
    own = [row for row in fitting if row.bu_id == site_id and row.bu_id is not None and row.bu_id != none_id]
    common = [row for row in fitting if row.bu_id is None or row.bu_id in (client_id, none_id)]
    return min(own or common, key=lambda row: row.id, default=None)


def due_at(created_at: datetime, step: MatrixRow) -> datetime | None:
    """When a ticket made at `created_at` reaches the step; None when that lies beyond the calendar.

    Every level counts from the creation, not from the level before.
    """
    if step.value is None or step.frequency is None:
        raise ValueError(flaw_of(step) or "a step without a frequency")
    try:
        return created_at + timedelta(minutes=step.value * MINUTES_IN[step.frequency])
    except OverflowError:
        return None


def climbs_at(status: str, created_at: datetime, step: MatrixRow | None, *, now: datetime) -> datetime | None:
    """The moment at which a ticket's next level fell due, or None when it does not climb now."""
    if status not in LIVE or step is None:
        return None
    moment = due_at(created_at, step)
    return moment if moment is not None and moment < now else None


def assignees_after(
    step: MatrixRow, *, person_id: int | None, group_id: int | None, none_id: int
) -> tuple[int | None, int | None]:
    """Person and group that have the ticket after the step: the row's, unless it names neither."""
    named_person = None if step.person_id in (None, none_id) else step.person_id
    named_group = None if step.group_id in (None, none_id) else step.group_id
    if named_person is None and named_group is None:
        return person_id, group_id
    return named_person or none_id, named_group or none_id


def history_item(
    *,
    action: str,
    at: datetime,
    person_id: int,
    who: str,
    assigned_to: str,
    details: Iterable[str],
    previous_state: Mapping[str, Any],
) -> dict[str, Any]:
    """One entry of `ticketlog["ticket_history"]`, with the keys that the application's pages read."""
    return {
        "people_id": person_id,
        "when": at.isoformat(),
        "who": who,
        "assignto": assigned_to,
        "action": action,
        "details": list(details),
        "previous_state": dict(previous_state),
    }


def with_item(ticketlog: Mapping[str, Any] | None, item: Mapping[str, Any]) -> dict[str, Any]:
    """The log with one more entry; a log that is missing or malformed starts anew, what else is in it stays."""
    log = dict(ticketlog or {})
    entries = log.get("ticket_history")
    return {**log, "ticket_history": [*(entries if isinstance(entries, list) else []), dict(item)]}


def escalated_text(level: int) -> str:
    """What the history says when a ticket leaves `level`."""
    return f"escalated from {level} to {level + 1}"


def next_step_in_words(step: MatrixRow | None) -> str:
    """When the next level comes, for a mail: `level 2 after 3 HOUR`."""
    return "none" if step is None else f"level {step.level} after {step.value} {step.frequency}"
