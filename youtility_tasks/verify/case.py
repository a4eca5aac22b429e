"""What the invariants look at, and what they answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .entries import Evidence, Kind
from .lives import Life, lives


@dataclass(frozen=True, slots=True)
class Violation:
    """One key that breaks an invariant, and how."""

    key: str
    what: str


@dataclass(frozen=True, slots=True)
class Check:
    """One invariant: what it asks for, what was found, who breaks it."""

    name: str
    expected: str
    got: str
    violations: list[Violation] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not self.violations

    def as_json(self) -> dict[str, Any]:
        broken = [{"key": each.key, "what": each.what} for each in self.violations]
        return {"name": self.name, "expected": self.expected, "got": self.got, "ok": self.ok, "violations": broken}


@dataclass(frozen=True, slots=True)
class Fault:
    """A recorded fault: when, and whose work it may have cost."""

    name: str
    start: int
    end: int
    pids: frozenset[int] | None
    """None: everybody's."""

    def explains(self, pids: set[int], start: int, end: int) -> bool:
        """Whether it met one of the processes at some time from `start` to `end`."""
        return self.start <= end and self.end >= start and (self.pids is None or not self.pids.isdisjoint(pids))


@dataclass(slots=True)
class Case:
    """The evidence, arranged by key."""

    evidence: Evidence
    lives: list[Life]
    faults: list[Fault]

    def explained(self, pids: set[int], start: int, end: int) -> bool:
        return any(fault.explains(pids, start, end) for fault in self.faults)


def case_of(evidence: Evidence) -> Case:
    """The evidence by key, in the order of the keys."""
    return Case(evidence, sorted(lives(evidence).values(), key=lambda life: life.key), _faults(evidence))


def _faults(evidence: Evidence) -> list[Fault]:
    found = []
    for entry in evidence.ledger:
        if entry.kind is Kind.NEMESIS:
            data = entry.data
            pids = None if data["pids"] == "*" else frozenset(data["pids"])
            found.append(Fault(data["fault"], data["from"], data["to"], pids))
    return found
