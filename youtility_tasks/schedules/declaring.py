"""What code declares of a schedule, and where; each process loads this, and only set-up what makes schedules of it (`defaults.py`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Declared:
    """One schedule that code declares."""

    tenant_id: int
    name: str
    said: Mapping[str, Any] = field(hash=False)
    where: str
    """For people."""
    flaw: str = ""
    """Why it cannot be made here, known before anybody tries."""
    formerly: tuple[str, ...] = ()
    """Names that its task had, and so it."""

    @property
    def whose(self) -> str:
        """Its name, with its tenant's."""
        return f"{self.name} (tenant {self.tenant_id})" if self.tenant_id else self.name


sources: list[Callable[[], Iterable[Declared]]] = []
"""More places where schedules are declared; `apps.py` fills it."""
