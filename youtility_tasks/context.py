"""What a task that asks for its context is told: which attempt this is, how long it still has, whether to stop."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Any

from asgiref.sync import sync_to_async

from . import notes, tasks_api
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
    notes: notes.Notes = field(default_factory=notes.Remembered)
    """Where `progress` and `checkpoint` go."""

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

    def progress(self, done: float, total: float | None = None, note: str = "") -> None:
        """Say how far this attempt is: `context.progress(40, 100, "pages")`. Lists and pages show it, and `progress_of` returns it.

        As often as you like: the latest is written at most twice a second, and once more with the end. Never fails and never
        waits; what is no number is left out. It stays with a job that failed, and goes with one that has succeeded. `note` is
        cut at 200 characters.
        """
        self.notes.progress(done, total, note)

    def checkpoint(self, data: Any) -> None:
        """Keep where the next attempt is to go on, for `last_checkpoint`: durable when it returns. The latest counts; None forgets it.

        JSON of at most 64 KiB; raises NotJson, TooDeep or TooLarge. Raises CheckpointInTransaction inside a transaction, which may be
        rolled back, and LeaseLost when the job is no longer this worker's. Stored in clear: put no secret into it. It outlives
        crashes, rescues and retries, also of a dead letter, and goes when the job has succeeded.
        """
        self.notes.checkpoint(data)

    @property
    def last_checkpoint(self) -> Any:
        """What this job's last `checkpoint` has kept, in this attempt or an earlier one; None if there is none. Asks the database."""
        return self.notes.last_checkpoint()

    async def acheckpoint(self, data: Any) -> None:
        """`checkpoint`, for an async task."""
        await sync_to_async(self.notes.checkpoint)(data)

    async def alast_checkpoint(self) -> Any:
        """`last_checkpoint`, for an async task."""
        return await sync_to_async(self.notes.last_checkpoint)()

    @classmethod
    def for_tests(
        cls,
        task: Task,
        *,
        attempt: int = 1,
        job_id: int = 1,
        tenant_id: int = 0,
        kwargs: dict[str, Any] | None = None,
        last_checkpoint: Any = None,
    ) -> TaskContext:
        """A context for calling `task.func(context, ...)` directly; its `notes.reported` is what `progress` was told."""
        result = tasks_api.result_of_json(running(task, job_id=job_id, attempt=attempt, args=[], kwargs=kwargs or {}))
        return cls(
            task_result=result,
            task=task,
            job_id=job_id,
            tenant_id=tenant_id,
            number=attempt,
            notes=notes.Remembered(last_checkpoint),
        )


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
