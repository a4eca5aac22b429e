"""A worker's seat in the test's own process: its statements and its way of running a job, without its processes."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from collections.abc import Generator, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import connections, transaction
from psycopg.pq import TransactionStatus

from youtility_tasks import queries, queues, registry
from youtility_tasks.conf import settings
from youtility_tasks.declaration import Task
from youtility_tasks.finish import Decision, Happened, Verdict, decide
from youtility_tasks.models import Job
from youtility_tasks.status import JobStatus
from youtility_tasks.workers import run

from . import clock

MOST = 10_000
"""Attempts of one drain: more means that a task enqueues itself for ever."""

_draining: ContextVar[bool] = ContextVar("youtility_tasks_draining", default=False)


@dataclass(frozen=True, slots=True)
class Ran:
    """One attempt, and what became of it."""

    job_id: int
    task_name: str
    attempt: int
    verdict: Verdict
    error: BaseException | None
    """What left the task, if anything did."""


def run_jobs(*queue_names: str, limit: int | None = None, raises: bool = False) -> int:
    """Run every job that is due, those that they enqueue too, until nothing is; how many attempts that were.

    One at a time: of the first queue (as configured, or as named here) that has one, the most urgent; of equally urgent ones by the
    turns of their tenants, then by id. What waits for a later time stays (`frozen`, `pass_time`). An error is recorded as a
    worker would, or with `raises` raised after that. Raises AssertionError past 10,000 attempts, unless `limit` says how many.
    """
    ran = 0
    with contextlib.closing(attempts(*queue_names)) as running:
        while limit is None or ran < limit:
            each = next(running, None)
            if each is None:
                break
            ran += 1
            if raises and each.error is not None:
                each.error.add_note(f"It left attempt {each.attempt} of {each.task_name} (job {each.job_id}).")
                raise each.error
            if limit is None and ran >= MOST:
                raise AssertionError(
                    f"{MOST} attempts and jobs are due still; the last was of {each.task_name}. Does a task enqueue itself? "
                    "Give run_jobs a limit if so many are right."
                )
    return ran


def attempts(*queue_names: str) -> Generator[Ran]:
    """Run what is due, one after the other; see `run_jobs`. Close it when you leave before its end."""
    names = queue_names or tuple(queues.configured())
    desk = _Desk(names[0])
    try:
        while (row := desk.claim(names)) is not None:
            before = _draining.set(True)
            try:
                ran = desk.run(row)
            finally:
                _draining.reset(before)
            yield ran
    finally:
        desk.leave()


def is_draining() -> bool:
    """Whether this code is run by a job that a drain runs."""
    return _draining.get()


@dataclass(slots=True)
class _Watched(run.Run):
    """An attempt whose error is kept as it was raised, too."""

    error: BaseException | None = None

    @contextlib.contextmanager
    def interruptible_thread(self) -> Iterator[None]:
        try:
            with run.Run.interruptible_thread(self):
                yield
        except BaseException as error:
            self.error = error
            raise

    @contextlib.asynccontextmanager
    async def interruptible_task(self) -> Any:
        try:
            async with run.Run.interruptible_task(self):
                yield
        except BaseException as error:
            self.error = error
            raise


class _Desk:
    def __init__(self, queue_name: str) -> None:
        queries.fetch("forget_turns", {})
        self.worker_id = queries.fetch("register_worker", _me(queue_name))[0][0]

    def leave(self) -> None:
        connection = connections[settings().database]
        if not connection.needs_rollback and _status() != TransactionStatus.INERROR:
            queries.fetch("unregister_worker", {"worker_id": self.worker_id})

    def claim(self, names: tuple[str, ...]) -> tuple[Any, ...] | None:
        """The next job, of the first queue that has one; as the pump returns it."""
        _carry_signals_on()
        frozen = clock.current()
        for name in names:
            queries.fetch("forget_looks", {})
            if frozen is None:
                rows = self._pump(name, ended=None, n=1)[:-1]
            else:
                with frozen.shown_to_database() as taken:
                    rows = self._pump(name, ended=None, n=1)[:-1]
                    taken += [row[3] for row in rows]
            if rows:
                return rows[0]
        return None

    def run(self, row: tuple[Any, ...]) -> Ran:
        _, _, _, job_id, task_name, args, attempts, tenant_id, claim_number, crash_count, _, expires_in_s = row
        task = registry.resolve(task_name) or registry.get(task_name)
        stored = run.read(args if isinstance(args, str) else json.dumps(args))
        begin_by = None if expires_in_s is None else time.monotonic() + expires_in_s
        told = run.Assignment(
            job_id, claim_number, task_name, stored, attempts + 1, tenant_id, self.worker_id, begin_by
        )
        watched = _Watched(told, task)
        ending = _run_apart(watched)
        happened = Happened(ending["happened"])
        decision = _without_jitter(
            decide(happened, task, attempt=attempts + 1, crash_count=crash_count, asked_s=ending.pop("asked_s", 0)),
            happened,
            task,
            attempts + 1,
        )
        last = ending.pop("progress", None)
        if last is not None and decision.verdict is not Verdict.SUCCEEDED:
            queries.fetch("note_progress", {"worker_id": self.worker_id, "told": json.dumps([last])})
        ended = {
            **{key: value for key, value in ending.items() if key != "happened"},
            "pid": os.getpid(),
            "verdict": decision.verdict,
            "outcome": decision.outcome,
            "delay_s": decision.delay_s,
        }
        self._pump(task.queue_name, ended=[ended], n=0)
        frozen = clock.current()
        if frozen is not None and decision.verdict is Verdict.RETRY:
            due_at = frozen.now() + timedelta(seconds=decision.delay_s)
            Job.objects.filter(pk=job_id, status=JobStatus.TODO).update(scheduled_at=due_at)
        return Ran(job_id, task.name, attempts + 1, decision.verdict, watched.error)

    def _pump(self, queue_name: str, *, ended: list[dict[str, Any]] | None, n: int) -> list[tuple[Any, ...]]:
        return queries.fetch(
            "pump",
            {
                "worker_id": self.worker_id,
                "host": socket.gethostname(),
                "ended": None if ended is None else json.dumps(ended),
                "queue_name": queue_name,
                "n": n,
            },
        )


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


def _run_apart(current: run.Run) -> dict[str, Any]:
    """Run it; what a failed statement of its does to the test's transaction is undone, with all that the attempt has written."""
    if not connections[settings().database].in_atomic_block:
        return run.run_in_place(current)
    mark = transaction.savepoint(using=settings().database)
    ending = run.run_in_place(current)
    if _status() == TransactionStatus.INERROR or connections[settings().database].needs_rollback:
        transaction.set_rollback(False, using=settings().database)
        transaction.savepoint_rollback(mark, using=settings().database)
    transaction.savepoint_commit(mark, using=settings().database)
    return ending


def _status() -> TransactionStatus:
    connection = connections[settings().database].connection
    return TransactionStatus.UNKNOWN if connection is None else connection.info.transaction_status


def _without_jitter(decision: Decision, happened: Happened, task: Task, attempt: int) -> Decision:
    if decision.verdict is not Verdict.RETRY or happened in (Happened.ASKED, Happened.NO_KEY):
        return decision
    delay_s = task.retry.delay_s(attempt) * settings().retry_delay_factor
    return Decision(decision.verdict, decision.outcome, delay_s)


def _carry_signals_on() -> None:
    """Signals are carried on as their transaction commits, and that of a TestCase never does."""
    if connections[settings().database].in_atomic_block:
        queries.run("carry_signals_on", {})
        queries.run("keep_signals_back", {})
