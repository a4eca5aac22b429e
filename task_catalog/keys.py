"""Short stand-ins for long values, for locks and effect keys: equal values, equal digests, on every machine."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def digest(text: str) -> str:
    """The SHA-256 of a text, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def digest_json(value: Any) -> str:
    """The digest of a JSON value; the order of an object's keys does not matter, that of a list's items does."""
    return digest(json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False))
