"""Which job this code runs in, if any: known to the ledger and to logs without being passed around."""

from __future__ import annotations

import contextvars
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Running:
    """The job around the present code."""

    job_id: int
    task_name: str
    workflow_id: int | None = None
    """The run that it is a step of."""
    tenant_id: int = 0
    attempt: int = 1


current: contextvars.ContextVar[Running | None] = contextvars.ContextVar("youtility_tasks_running", default=None)
