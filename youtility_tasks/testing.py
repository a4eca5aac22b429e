"""For our users' tests: run what was enqueued, here and now, and see what was enqueued. The house never imports it.

`run_jobs()` runs in the test's own process and transaction, so it works in Django's `TestCase`: it goes the workers'
way (claim, run, decide, finish, history) with the workers' own statements, only without processes.
"""

from __future__ import annotations

import json
import os
import socket
import time
from typing import Any

from youtility_tasks import queries, queues, registry
from youtility_tasks.conf import settings
from youtility_tasks.finish import Happened, Verdict, decide
from youtility_tasks.models import Job
from youtility_tasks.secrets import marks, sealing
from youtility_tasks.status import JobStatus
from youtility_tasks.workers import run
from youtility_tasks.workflows import resolve


def run_jobs(*queue_names: str, limit: int = 10_000) -> int:
    """Run every job that is due, those that they enqueue too, queue by queue until nothing is left; how many ran.

    Jobs that wait for a later time (a retry with a delay, `run_after`) stay. Async tasks are run to their end.
    """
    names = queue_names or tuple(queues.configured())
    worker_id = queries.fetch("register_worker", _me(names[0]))[0][0]
    ran = 0
    try:
        while ran < limit:
            claimed = [row for name in names for row in _claim(worker_id, name)]
            if not claimed:
                break
            for row in claimed:
                _run(worker_id, row)
                ran += 1
    finally:
        queries.fetch("unregister_worker", {"worker_id": worker_id})
    return ran


def enqueued(task_name: str | None = None) -> list[Job]:
    """The waiting jobs, of one task or all, in the order of their ids."""
    waiting = Job.objects.filter(status=JobStatus.TODO).order_by("pk")
    return list(waiting if task_name is None else waiting.filter(task_name=task_name))


def assert_enqueued(task_name: str, **args: Any) -> Job:
    """The waiting job of that task whose arguments include `args` (in clear); fails, saying what does wait, if there is none."""
    found = enqueued(task_name)
    for job in found:
        if args.items() <= arguments(job).items():
            return job
    shown = [sealing.redact(job.args) for job in found]
    raise AssertionError(f"No waiting {task_name} with {args!r}; waiting: {shown!r}.")


def arguments(job: Job) -> dict[str, Any]:
    """A job's arguments in clear, those marked `Secret` or `Pii` too; its row has them sealed."""
    declared = registry.resolve(job.task_name)
    marked, verbatim = (declared.marks, declared.verbatim) if declared else (marks.NONE, False)
    stored = sealing.unseal(sealing.Place(job.tenant_id, job.task_name, marked, verbatim), job.args).stored
    return resolve.without_place(stored)


def _me(queue_name: str) -> dict[str, Any]:
    return {
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "supervisor_pid": None,
        "queue_name": queue_name,
        "slots": 1,
        "token": "",
        "dead": [],
        "lease_s": settings().lease_s,
        "max_rescues": settings().max_rescues,
    }


def _claim(worker_id: int, queue_name: str) -> list[tuple[Any, ...]]:
    return _pump(worker_id, queue_name, ended=None, n=1)[:-1]


def _pump(worker_id: int, queue_name: str, *, ended: list[dict[str, Any]] | None, n: int) -> list[tuple[Any, ...]]:
    return queries.fetch(
        "pump",
        {
            "worker_id": worker_id,
            "host": socket.gethostname(),
            "ended": None if ended is None else json.dumps(ended),
            "queue_name": queue_name,
            "n": n,
        },
    )


def _run(worker_id: int, row: tuple[Any, ...]) -> None:
    _, _, _, job_id, task_name, args, attempts, tenant_id, claim_number, crash_count, _, expires_in_s = row
    task = registry.resolve(task_name) or registry.get(task_name)
    stored = json.loads(args) if isinstance(args, str) else args
    begin_by = None if expires_in_s is None else time.monotonic() + expires_in_s
    told = run.Assignment(job_id, claim_number, task_name, stored, attempts + 1, tenant_id, worker_id, begin_by)
    current = run.Run(told, task)
    ending = run.run_in_place(current)
    decision = decide(Happened(ending["happened"]), task, attempt=attempts + 1, crash_count=crash_count)
    ended = {
        **{key: value for key, value in ending.items() if key != "happened"},
        "pid": os.getpid(),
        "verdict": decision.verdict,
        "outcome": decision.outcome,
        "delay_s": decision.delay_s,
    }
    if decision.verdict is Verdict.RELEASED:
        raise AssertionError("a job that runs in place cannot be handed back")
    _pump(worker_id, task.queue_name, ended=[ended], n=0)
