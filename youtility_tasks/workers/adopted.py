"""procrastinate's own tasks (`@app.task`) for our worker: what was declared for its worker runs here unchanged.

The counterpart of `stock.py`. Such a task runs with tenant and time limits of ours (every tenant, no limit), with its own
retry strategy, middlewares and `JobContext`.
"""

from __future__ import annotations

import functools
import inspect
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import procrastinate
from procrastinate import exceptions, job_context, jobs, middleware
from procrastinate.contrib.django import app
from procrastinate.tasks import Task as TheirTask

from youtility_tasks import queues
from youtility_tasks.context import TaskContext
from youtility_tasks.declaration import Task
from youtility_tasks.errors import AbortRequested, NotRetried
from youtility_tasks.models import Job
from youtility_tasks.retry import Retry

logger = logging.getLogger(__name__)

_FOR_EVER = 2**31
"""Attempts of a strategy that sets no bound."""


def find(task_name: str) -> Task | None:
    """The task that is known to procrastinate by that name or alias, as one of ours; None if there is none."""
    if task_name not in app.tasks:
        _import_paths()
    theirs = app.tasks.get(task_name)
    try:
        return adopt(theirs) if theirs is not None else None
    except (
        Exception
    ):  # what Django refuses and procrastinate does not, like a name with a line break, must not end the worker
        logger.warning("a task of procrastinate's cannot be run here task=%r", task_name, exc_info=True)
        return None


def load() -> None:
    """Let procrastinate know all tasks that are declared for it."""
    _import_paths()


@functools.cache
def _import_paths() -> None:
    """Load what `PROCRASTINATE_IMPORT_PATHS` names, as its worker does when it starts."""
    try:
        app.perform_import_paths()  # type: ignore[no-untyped-call]
    except Exception:  # whatever a module does while it is loaded must not end the worker that looks for a name
        logger.warning("not all of PROCRASTINATE_IMPORT_PATHS could be loaded", exc_info=True)


@dataclass(frozen=True, slots=True)
class _Strategy(Retry):
    """procrastinate's retry strategy in our terms. Its waits have no jitter there, and get none here."""

    strategy: procrastinate.BaseRetryStrategy | None = None

    def delay_s(self, attempt: int) -> float:
        if not isinstance(self.strategy, procrastinate.RetryStrategy):
            return 0
        made = self.strategy
        try:
            wait_s = made.wait + made.linear_wait * (attempt - 1) + float(made.exponential_wait) ** attempt
        except OverflowError:
            return Retry(1, base=float(_FOR_EVER)).delay_s(1)
        return Retry(1, base=max(0.0, wait_s)).delay_s(1)

    def jittered_delay_s(self, attempt: int) -> float:
        return self.delay_s(attempt)


@functools.cache
def adopt(theirs: TheirTask[..., Any, Any]) -> Task:
    """A task of procrastinate's as one of ours."""
    return Task(
        func=_entry(theirs),
        task_name=theirs.name,
        queue_name=theirs.queue if theirs.queue in queues.configured() else queues.MAINTENANCE,
        priority=5,
        backend="default",
        takes_context=True,
        tenant="all",
        retry=_retry(theirs.retry_strategy),
    )


def _retry(strategy: procrastinate.BaseRetryStrategy | None) -> Retry:
    if strategy is None:
        return Retry(1)
    bound = strategy.max_attempts if isinstance(strategy, procrastinate.RetryStrategy) else None
    return _Strategy(bound + 1 if bound else _FOR_EVER, strategy=strategy)  # it counts retries, we count runs


def _entry(theirs: TheirTask[..., Any, Any]) -> Callable[..., Any]:
    """What a child calls: the task inside its middlewares, told what its own worker would tell it."""

    def run(context: TaskContext, /, **kwargs: Any) -> Any:
        row = Job.objects.values().get(pk=context.job_id) if _asks(theirs) else None
        told = _told(theirs, context, row)
        try:
            return _call(theirs, told, kwargs)
        except BaseException as error:
            _say_in_our_terms(error, theirs, told.job)
            raise

    async def run_async(context: TaskContext, /, **kwargs: Any) -> Any:
        row = await Job.objects.values().aget(pk=context.job_id) if _asks(theirs) else None
        told = _told(theirs, context, row)
        try:
            return await _call(theirs, told, kwargs)
        except BaseException as error:
            _say_in_our_terms(error, theirs, told.job)
            raise

    entry: Callable[..., Any] = run_async if inspect.iscoroutinefunction(theirs.func) else run
    # Django wants a function of a module, and shows its path; procrastinate takes any.
    entry.__module__, entry.__name__, entry.__qualname__ = theirs.func.__module__, theirs.name, theirs.name
    return entry


def _call(theirs: TheirTask[..., Any, Any], told: job_context.JobContext, kwargs: Mapping[str, Any]) -> Any:
    def call() -> Any:
        return theirs(told, **kwargs) if theirs.pass_context else theirs(**kwargs)

    return middleware.compose(theirs.task_middleware, call, told, None)()


def _asks(theirs: TheirTask[..., Any, Any]) -> bool:
    """Whether anybody looks at the job: a child asks the database for it only then."""
    stock = theirs.retry_strategy is None or isinstance(theirs.retry_strategy, procrastinate.RetryStrategy)
    return bool(theirs.pass_context or theirs.task_middleware or not stock)


def _told(
    theirs: TheirTask[..., Any, Any], context: TaskContext, row: Mapping[str, Any] | None
) -> job_context.JobContext:
    blueprint = theirs.blueprint
    return job_context.JobContext(
        app=blueprint if isinstance(blueprint, procrastinate.App) else app,
        job=jobs.Job.from_row(dict(row)) if row is not None else _unread(theirs, context),
        worker_name="youtility",
        worker_queues=[row["queue_name"]] if row is not None else None,
        start_timestamp=time.time(),
        abort_reason=lambda: job_context.AbortReason.USER_REQUEST if context.should_abort() else None,
    )


def _unread(theirs: TheirTask[..., Any, Any], context: TaskContext) -> jobs.Job:
    return jobs.Job(id=context.job_id, queue=theirs.queue, lock=None, queueing_lock=None, task_name=theirs.name)


def _say_in_our_terms(error: BaseException, theirs: TheirTask[..., Any, Any], job: jobs.Job) -> None:
    """Raise AbortRequested or NotRetried for an error that means that."""
    if isinstance(error, exceptions.JobAborted):
        raise AbortRequested from error
    strategy = theirs.retry_strategy
    if strategy is None or not isinstance(error, Exception):
        return
    if isinstance(strategy, procrastinate.RetryStrategy):
        job = job.evolve(attempts=0)  # its bound is `max_attempts`: the last attempt then keeps its error's name
    if strategy.get_retry_decision(exception=error, job=job) is None:
        raise NotRetried(f"{type(error).__name__}: {error}") from error
