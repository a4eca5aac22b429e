"""The verdict: a pure function of the ledger and the dump, one line an invariant.

L no loss · T one end · F fenced · E effects · X mutual exclusion · S not before its time · N tenants · B bounded ·
A accounting.
"""

from __future__ import annotations

from collections.abc import Callable

from . import invariants
from .case import Case, Check, case_of
from .entries import Evidence, Kind
from .lives import lives

INVARIANTS: tuple[Callable[[Case], Check], ...] = (
    invariants.no_loss,
    invariants.one_end,
    invariants.fenced,
    invariants.effects,
    invariants.exclusive,
    invariants.not_before_its_time,
    invariants.tenants,
    invariants.bounded,
    invariants.accounting,
)


def check(evidence: Evidence) -> list[Check]:
    """Judge a run that was drained: one check an invariant."""
    case = case_of(evidence)
    return [invariant(case) for invariant in INVARIANTS]


def life_of(evidence: Evidence, key: str) -> list[str]:
    """The whole life of a violating key, with the faults of the run when it has no key of its own."""
    found = lives(evidence).get(key)
    if found is not None:
        return found.told()
    return [f"{entry.at / 1e9:.6f} {entry.data}" for entry in evidence.ledger if entry.kind is Kind.NEMESIS]
