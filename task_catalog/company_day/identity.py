"""The uuids that devices give to their rows: drawn from what the row is, so that a row can be spoken of before it is there."""

from __future__ import annotations

import uuid
from datetime import date

_NAMESPACE = uuid.UUID("9f0f4b52-6f0e-5a4f-8f4e-5f7d1f3c2b1a")


def uuid_of(day: date, letter: str, what: str, number: int) -> uuid.UUID:
    """Always the same one for the same row of a client."""
    return uuid.uuid5(_NAMESPACE, f"{day}:{letter}:{what}:{number}")
