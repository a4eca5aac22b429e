"""The shapes of the tasks that a run enqueues, and what must become of each: known to the tasks and to the checker."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

PREFIX = "verify_"
"""Of the tasks' names: `verify_instant` is the task of the shape `instant`."""


class Effects(StrEnum):
    """How often a task's effect may happen."""

    EXACTLY_ONCE = "exactly_once"
    """Rows in the queue's database, written through the effect ledger: always one."""
    AT_LEAST_ONCE = "at_least_once"
    """One, and another only for a fault that was recorded."""
    NONE = "none"
    """It never comes to its effect."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What a task does, in how many attempts, and how it may end."""

    name: str
    share: int
    """How many of a hundred jobs, about."""
    ends: frozenset[str] = frozenset({"succeeded"})
    effects: Effects = Effects.AT_LEAST_ONCE
    max_attempts: int = 8
    locked: bool = False

    @property
    def task_name(self) -> str:
        return PREFIX + self.name


SHAPES: dict[str, Shape] = {
    shape.name: shape
    for shape in (
        Shape("instant", 16),
        Shape("brief", 14),
        Shape("longer", 16),
        Shape("asynchronous", 8),
        Shape("retried", 8),
        Shape("always_fails", 4, frozenset({"failed"}), Effects.NONE, max_attempts=3),
        Shape("locked", 12, locked=True),
        Shape("scheduled", 6),
        Shape("cancelled", 4, frozenset({"succeeded", "cancelled", "aborted"})),
        Shape("big", 3),
        Shape("parent", 4),
        Shape("child", 0),
        Shape("meets_twin", 2),
        Shape("twin", 0),
        Shape("once", 10, effects=Effects.EXACTLY_ONCE),
        Shape("mailed", 6),
        Shape("crashes", 2),
        Shape("poison", 1, frozenset({"failed"}), Effects.NONE),
        Shape("hog", 1),
        Shape("blocked", 1, frozenset({"failed"}), Effects.NONE, max_attempts=2),
        Shape("single", 3),
        Shape("rolled_back", 3),
        Shape("patient", 0),
    )
}
"""`hog` holds the interpreter for longer than a quick run's lease; `blocked` waits in C until it is killed; `meets_twin` is retried while its `twin` waits under its queueing lock; `single` is enqueued twice at once under one unique key; `rolled_back` in a transaction that is taken back; `patient` takes longer than a quick run's lease."""


def of_task(task_name: str) -> Shape | None:
    """The shape of a task by its name; None for a task that is not of a run."""
    return SHAPES.get(task_name.removeprefix(PREFIX)) if task_name.startswith(PREFIX) else None
