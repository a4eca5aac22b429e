"""Whether this process only rehearses: a shadow of the bridge runs a task here, and nothing of it may be seen outside.

Of the whole process, as a task may start threads: a shadow has a process to itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Rehearsal:
    """One run without effects, and what it would have done."""

    kept_back: list[str] = field(default_factory=list)
    """What it wanted to do outside, in words without contents."""
    effects: dict[str, dict[str, Any] | None] = field(default_factory=dict)
    """Its ledger: key -> payload; it begins empty, and goes with it."""
    done: set[str] = field(default_factory=set)
    """Keys of that ledger whose effects are done, as far as the task knows."""

    def keep_back(self, what: str) -> None:
        """Note that something was not done, once for each kind."""
        if what not in self.kept_back:
            self.kept_back.append(what)

    def enter(self, promises: Iterable[tuple[str, Mapping[str, Any] | None]], *, is_done: bool) -> set[str]:
        """Enter these keys; the ones that were new."""
        new = {key: None if payload is None else dict(payload) for key, payload in promises if key not in self.effects}
        self.effects.update(new)
        if is_done:
            self.done.update(new)
        return set(new)


now: Rehearsal | None = None
"""The one that this process runs; None where effects are real."""
