"""What the player has put on the queues."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from youtility_tasks.models import Job

from .definitions import DAY_TASKS

PLANNING = ("create_ppm_job", "create_job")
"""Sweeps that make occurrences."""


@dataclass(slots=True)
class Played:
    """What the player has put on the queues."""

    first_job_id: int = 0
    sweeps: dict[tuple[str, datetime], int] = field(default_factory=dict)
    """Job id by task and instant."""
    repeats: dict[tuple[str, datetime], int] = field(default_factory=dict)
    """The same, of the second runs at the same instant, which must change nothing."""

    def instants(self, name: str) -> list[datetime]:
        """When a sweep ran, in order."""
        return sorted(instant for task, instant in self.sweeps if task == name)


def live_jobs(tasks: Iterable[str] = DAY_TASKS) -> Any:
    """The day's jobs that wait or run."""
    return Job.objects.live().filter(task_name__in=list(tasks))
