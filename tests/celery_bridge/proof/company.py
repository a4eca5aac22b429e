"""The small companies whose rows a run's tasks find: two clients with one of each thing that a task may be asked about."""

from __future__ import annotations

from typing import Any

from task_catalog.facility.sentinels import ensure_sentinels
from tests.catalog.adoption.estate import Estate
from youtility_tasks.verify.bridge import acting


def make() -> dict[int, dict[str, dict[str, Any]]]:
    """Tenant -> task -> a good call of it."""
    ensure_sentinels()
    clients = [Estate("acme", ctzoffset=330), Estate("globex", ctzoffset=-300)]
    return {each.id: {task.name: each.call(task.name) for task in acting.tasks()} for each in clients}
