"""The wall clock of a row: a fixed offset in minutes east of UTC, never a zone name (there is no summer time here)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

UNKNOWN = -1
"""`ctzoffset` of a row whose wall clock nobody recorded; 0 is Greenwich and -1 would be no offset on earth (D12)."""

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_FURTHEST = 24 * 60


def is_known(offset: int | None) -> bool:
    """Whether an offset says anything: neither missing, nor the sentinel -1, nor a day or more away."""
    return offset is not None and offset != UNKNOWN and abs(offset) < _FURTHEST


def local(at: datetime, offset: int) -> datetime:
    """An instant as the wall clock `offset` minutes east of UTC shows it."""
    return at.astimezone(timezone(timedelta(minutes=offset)) if offset else UTC)


def shown(at: datetime | None, offset: int) -> str:
    """An instant for people: `03-Mar-2025 05:55` by that wall clock, "-" when there is none.

    English month names whatever the process's locale says, because mailbox rules read them.
    """
    if at is None:
        return "-"
    wall = local(at, offset)
    return f"{wall:%d}-{_MONTHS[wall.month - 1]}-{wall:%Y %H:%M}"


def in_numbers(at: datetime | None, offset: int) -> str:
    """As `shown`, with the month as a number: `03-03-2025 05:55`, as the mails about readings have it."""
    return "-" if at is None else f"{local(at, offset):%d-%m-%Y %H:%M}"
