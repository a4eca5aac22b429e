"""What the workers of a schedule know, outside the database."""

from __future__ import annotations

from dataclasses import dataclass, field

from youtility_tasks.verify.entries import Entry

from .model import Model


@dataclass(slots=True)
class Held:
    """A job that a worker believes to be its own."""

    job_id: int
    key: str
    claim: int


@dataclass(slots=True)
class Desk:
    """A worker: its id in the queue, and what it holds."""

    number: int
    worker_id: int
    held: dict[int, Held] = field(default_factory=dict)
    unsure: dict[int, Held] = field(default_factory=dict)
    """Ended, sent, and not confirmed."""
    forgotten: list[Held] = field(default_factory=list)
    is_frozen: bool = False


@dataclass(slots=True)
class State:
    """All that an action changes outside the database; copied at every fork of the road."""

    desks: dict[str, Desk] = field(default_factory=dict)
    model: Model = field(default_factory=Model)
    ledger: list[Entry] = field(default_factory=list)
    clock: int = 0
    keys: dict[str, int] = field(default_factory=dict)
