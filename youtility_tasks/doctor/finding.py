"""What one look of the doctor has found."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """`found` says what there is; `advice` what to do about it, and is empty when all is well."""

    name: str
    ok: bool
    found: str
    advice: str = ""
