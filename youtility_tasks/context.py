"""What a task that asks for its context is told: which attempt this is, how long it still has, whether to stop."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Any

from . import tasks_api
from .declaration import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskContext(tasks_api.TaskContext):
    """The first argument of a task declared with `takes_context=True`; `task_result` is Django's own."""

    task: Task
    job_id: int
    tenant_id: int
    number: int
    """The attempt, from 1."""
    started: float = field(default_factory=time.monotonic)
    """Monotonic seconds at the start of the attempt."""
    abort: threading.Event = field(default_factory=threading.Event)

    @property
    def attempt(self) -> int:
        """Which attempt this is, from 1. A crash, a rescue or a hand-back uses none up, so a number may come twice."""
        return self.number

    @property
    def max_attempts(self) -> int:
        """How many attempts the task's `Retry` allows; this is the last one when `attempt` equals it."""
        return self.task.max_attempts

    @property
    def task_name(self) -> str:
        """The task's stable name, also for a job that was enqueued under an earlier one."""
        return self.task.name

    @property
    def queue_name(self) -> str:
        """The queue that the task declares; a job sent elsewhere by `using(queue_name=...)` may run in another."""
        return self.task.queue_name

    @property
    def timeout_s(self) -> float | None:
        """The soft time limit of one attempt in seconds, as declared; None without one."""
        return self.task.timeout_s

    def time_left_s(self) -> float:
        """Seconds until the soft time limit; infinite without one."""
        if self.timeout_s is None:
            return float("inf")
        return self.timeout_s - (time.monotonic() - self.started)

    def should_abort(self) -> bool:
        """Whether somebody asked for this job to end; a long task asks now and then and returns early."""
        return self.abort.is_set()

    @classmethod
    def for_tests(
        cls, task: Task, *, attempt: int = 1, job_id: int = 1, tenant_id: int = 0, kwargs: dict[str, Any] | None = None
    ) -> TaskContext:
        """A context for calling `task.func(context, ...)` directly."""
        result = tasks_api.result_of_json(running(task, job_id=job_id, attempt=attempt, args=[], kwargs=kwargs or {}))
        return cls(task_result=result, task=task, job_id=job_id, tenant_id=tenant_id, number=attempt)


def running(
    task: Task, *, job_id: int, attempt: int, args: list[Any], kwargs: dict[str, Any], worker_id: int = 0
) -> dict[str, Any]:
    """The fields of Django's TaskResult for an attempt that begins now."""
    return {
        "task": task,
        "id": str(job_id),
        "status": tasks_api.TaskResultStatus.RUNNING,
        "enqueued_at": None,
        "started_at": None,
        "last_attempted_at": None,
        "finished_at": None,
        "args": args,
        "kwargs": kwargs,
        "backend": task.backend,
        "errors": [],
        "worker_ids": [str(worker_id)] * attempt,
    }
