"""Tasks whose name, queue, limits and arguments are final but whose body is not written yet.

They are registered, so that settings, dashboards and call sites can name them, and refused at enqueue, so that nobody
believes their work was done: `@task(..., guard=NotYetBuiltGuard("name"))` and a body that raises NotYetBuilt.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NoReturn

from youtility_tasks import NotYetBuilt


@dataclass(frozen=True, slots=True)
class NotYetBuiltGuard:
    """The guard of such a task: refuses every call with NotYetBuilt before anything is written."""

    task_name: str
    is_built: ClassVar[bool] = False
    """Read by the task's own `is_built`, so that listings can mark it."""

    def __call__(self, arguments: dict[str, Any]) -> NoReturn:
        raise NotYetBuilt(self.task_name)
