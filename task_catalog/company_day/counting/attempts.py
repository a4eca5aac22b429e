"""The last attempts of the day's jobs, read once: how each job ended and what its task said it did."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from task_catalog.company_day.definitions import DAY_TASKS
from task_catalog.company_day.played import Played
from youtility_tasks.models import TaskExecutionHistory


class Attempts:
    """Each job counts once, however many attempts it took, and however often its queue forgot that it had ended."""

    def __init__(self, played: Played) -> None:
        self._played = played
        rows = TaskExecutionHistory.objects.filter(
            job_id__gte=played.first_job_id, task_name__in=DAY_TASKS, is_final=True
        )
        self._first: dict[int, TaskExecutionHistory] = {}
        for attempt in rows.order_by("finished_at", "id"):
            self._first.setdefault(attempt.job_id, attempt)

    @property
    def all(self) -> list[TaskExecutionHistory]:
        return list(self._first.values())

    @property
    def counted(self) -> list[TaskExecutionHistory]:
        """All but the second runs of sweeps, which must change nothing."""
        repeats = set(self._played.repeats.values())
        return [attempt for job_id, attempt in self._first.items() if job_id not in repeats]

    def result(self, job_id: int) -> dict[str, Any]:
        """What a job's task returned; empty if it failed."""
        attempt = self._first.get(job_id)
        return (attempt.result or {}) if attempt else {}

    def results(self, task: str) -> list[dict[str, Any]]:
        """What the jobs of a task returned, those that succeeded."""
        return [attempt.result or {} for attempt in self.counted if attempt.task_name == task and attempt.result]

    def of_sweep(self, task: str) -> list[tuple[datetime, dict[str, Any]]]:
        """What each run of a sweep returned, in order of its instant."""
        return [(instant, self.result(self._played.sweeps[task, instant])) for instant in self._played.instants(task)]

    def repeated(self) -> Iterable[tuple[str, dict[str, Any]]]:
        """What each second run of a sweep returned."""
        return [(task, self.result(job_id)) for (task, _), job_id in self._played.repeats.items()]
