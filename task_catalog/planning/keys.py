"""Effect keys of planning, by which each row is made once (R-SCH 9, 13)."""

from __future__ import annotations

from datetime import UTC, datetime


def of_root(plan_id: int, planned_at: datetime) -> str:
    """The occurrence of a plan at a plan time."""
    return f"jobneed:{plan_id}:{planned_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def of_stop(root_id: int, seqno: int) -> str:
    """A stop of a tour."""
    return f"jobneed-child:{root_id}:{seqno}"


def of_reminder(occurrence_id: int, unit: str, value: int) -> str:
    """A reminder of an occurrence."""
    return f"reminder:{occurrence_id}:{unit}:{value}"
