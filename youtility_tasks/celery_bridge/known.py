"""The tasks of Celery's form by their names, and what a name means: one of them, or one of our own tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from youtility_tasks import declaration, registry

if TYPE_CHECKING:
    from .task import Task

tasks: dict[str, Task] = {}
"""All of them."""


def of(house: declaration.Task) -> Task | None:
    """The task of Celery's form that one of ours was made for."""
    return tasks.get(house.task_name)


def house(name: str) -> declaration.Task:
    """Our task of that name. Raises UnknownTask."""
    return registry.resolve(name) or registry.get(name)
