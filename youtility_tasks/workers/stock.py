"""Our tasks for procrastinate's own worker, which may run beside ours on the same queues."""

from __future__ import annotations

import threading
from typing import Any

import procrastinate
from procrastinate import exceptions, jobs
from procrastinate.contrib.django import app

from youtility_tasks.declaration import Task
from youtility_tasks.errors import AbortRequested, TryAgain
from youtility_tasks.finish import Verdict, classify, decide
from youtility_tasks.models import Job
from youtility_tasks.secrets import scrubbing

from . import run


class _Retry(procrastinate.BaseRetryStrategy):
    """Our retry policy in procrastinate's terms."""

    def __init__(self, task: Task) -> None:
        self.task = task

    def get_retry_decision(self, *, exception: BaseException, job: jobs.Job) -> procrastinate.RetryDecision | None:
        asked_s = exception.delay_s if isinstance(exception, TryAgain) else 0
        decision = decide(classify(exception), self.task, attempt=job.attempts + 1, crash_count=0, asked_s=asked_s)
        if decision.verdict is not Verdict.RETRY:
            return None
        return procrastinate.RetryDecision(retry_in={"seconds": max(0, round(decision.delay_s))})


class _Asked(threading.Event):
    """Set as soon as somebody has asked procrastinate to abort the job."""

    def __init__(self, context: procrastinate.JobContext) -> None:
        super().__init__()
        self.context = context

    def is_set(self) -> bool:
        return self.context.should_abort()


def offer(task: Task) -> None:
    """Enter a task into procrastinate's registry, so that its worker, shell and command line know it too.

    There it runs with its tenant and its retry policy, in procrastinate's own process: without time limits, without a
    fence and without our history.
    """
    if task.name in app.tasks:
        return

    def entry(context: procrastinate.JobContext, /, **kwargs: Any) -> Any:
        job = context.job
        if job.id is None:
            raise ValueError("procrastinate ran a job that has no id")
        row = Job.objects.only("tenant_id", "claim_number", "task_name").get(pk=job.id)
        assignment = run.Assignment(
            job_id=row.pk,
            claim_number=row.claim_number,
            task_name=row.task_name,  # sealed arguments open under the name they were enqueued by
            args=kwargs,
            attempt=job.attempts + 1,
            tenant_id=row.tenant_id,
            worker_id=job.worker_id or 0,
        )
        if task.marks:
            scrubbing.watch_log()
        try:
            return run.call_in_place(run.Run(assignment, task, abort=_Asked(context)))
        except AbortRequested as error:
            raise exceptions.JobAborted from error

    app.task(
        name=task.name,
        aliases=list(task.aliases) or None,
        queue=task.queue_name,
        priority=task.stored_priority,
        retry=_Retry(task),
        pass_context=True,
    )(entry)
