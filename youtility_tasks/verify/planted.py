"""Bugs that a test plants in a run's own processes, to see that the checker finds them."""

from __future__ import annotations

import os

VARIABLE = "YOUTILITY_VERIFY_PLANTED"

EFFECT_OUTSIDE = "effect outside the transaction"
"""An exactly-once effect is committed before the ledger of effects knows of it."""
ACK_BEFORE_COMMIT = "acknowledged before the commit"
READ_THEN_INSERT = "read, then insert"
"""Duplicates are looked for, and then inserted all the same."""


def is_planted(bug: str) -> bool:
    """Whether this process has the bug."""
    return bug in os.environ.get(VARIABLE, "").split(";")
