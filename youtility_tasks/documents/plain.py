"""Instants and lines of text, as JSON carries them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any


def instant(value: datetime | None) -> str | None:
    """An instant for JSON: ISO 8601 in UTC."""
    return value.astimezone(UTC).isoformat() if value is not None else None


def first_line(text: str, limit: int = 60) -> str:
    """The first line of an error, cut to the width of a column."""
    line = next((each.strip() for each in text.splitlines() if each.strip()), "")
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def plain(value: Any) -> Any:
    """A value with instants inside it."""
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [plain(each) for each in value]
    return instant(value) if isinstance(value, datetime) else value
