"""What a run leaves behind, as plain values: the verdict asks no database."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from youtility_tasks.verify.entries import Entry, entries

BEAT_NAME = "each second"
"""The schedule that Beat hands over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """What became of the schedule that fired each second."""

    counted: int = 0
    """How often Beat says that it fired, at the hand-over."""
    counted_at_end: int = 0
    last_at: float = 0.0
    """When it says that it fired last; seconds since 1970."""
    ours: list[float] = field(default_factory=list)
    """Our ticks that fired."""
    noted: list[tuple[float, int]] = field(default_factory=list)
    """Our ticks that one later one stands for: the first, and how many."""
    settled_to: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All that a verdict is made from."""

    seed: int
    tasks: list[str]
    ledger: list[Entry]
    effects: list[tuple[str, str]]
    """(key, side) of every row."""
    tick: str
    beat: Beat = field(default_factory=Beat)
    shadows: int = 0
    """Runs of shadows."""
    moved: dict[str, int] = field(default_factory=dict)
    """Side -> how many waiting calls were moved there."""
    adopted: int = 0
    rollbacks: int = 0
    routes: dict[str, str] = field(default_factory=dict)
    """Task -> where its calls go in the end."""
    waiting: dict[str, int] = field(default_factory=dict)
    """What waits in the end, and where."""
    lost_by_celery: list[str] = field(default_factory=list)
    """Ids of messages that Redis, killed, had given to Celery's worker, and that the worker had not written down."""
    parity: list[str] = field(default_factory=list)
    """Tasks of which parity says that a result or an outcome differs."""

    def save(self, path: Path) -> None:
        """As one JSON document."""
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Evidence:
        """Read what `save` wrote."""
        told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        told |= {"ledger": entries(told["ledger"]), "beat": Beat(**told["beat"])}
        told["effects"] = [(key, side) for key, side in told["effects"]]
        return cls(**told)
