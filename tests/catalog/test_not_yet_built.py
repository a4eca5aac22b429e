"""No task of the catalogue is still to be written."""

from __future__ import annotations

import task_catalog.tasks  # noqa: F401 - declares the tasks
from task_catalog.not_yet_built import NotYetBuiltGuard
from youtility_tasks.registry import registered


def test_every_task_does_its_work():
    assert [name for name, task in registered().items() if isinstance(task.guard, NotYetBuiltGuard)] == []
    assert sum(bool(task.seed_class) for task in registered().values()) == 32
