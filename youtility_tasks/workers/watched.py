"""Inside a child, around each attempt: who watches it. They see what it is and how it ended, never its arguments.

With nobody watching a child runs `run.run_sync` and `run.run_async` themselves, and nothing of this costs anything.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

from asgiref.sync import sync_to_async
from django.utils.module_loading import import_string

from youtility_tasks import tracing
from youtility_tasks.conf import settings
from youtility_tasks.errors import ConfigurationError
from youtility_tasks.finish import Happened, decide

from . import run

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Attempt:
    """What a watcher is given; `outcome` and `error` are there once the attempt has ended."""

    job_id: int
    task_name: str
    queue_name: str
    tenant_id: int
    number: int
    """From 1."""
    max_attempts: int
    worker_id: int
    workflow_id: int | None
    """The run that it is a step of."""
    outcome: str | None = None
    """As its history will have it; of one that is handed back, or whose process dies, nothing is told here."""
    error: BaseException | None = None
    """What left the task, the values of marked arguments taken out of its words."""


Watcher = Callable[[Attempt], contextlib.AbstractContextManager[Any]]
Ending = dict[str, Any]
Runners = tuple[Callable[[run.Run], Ending], Callable[[run.Run], Awaitable[Ending]]]


def runners(queue_name: str) -> Runners:
    """How a child of this queue runs a sync and an async task. Raises ConfigurationError for a watcher that is none."""
    watchers = [_named(each) for each in settings().attempt_watchers]
    if not watchers and not tracing.is_on():
        return run.run_sync, run.run_async
    watch = _Watch(queue_name, watchers)
    return watch.run_sync, watch.run_async


def _named(name: str) -> Watcher:
    try:
        found: Watcher = import_string(name)
    except ImportError as error:
        raise ConfigurationError(
            f"YOUTILITY_TASKS: attempt_watchers names {name!r}, which cannot be imported: {error}."
        ) from error
    return found


class _Watch:
    def __init__(self, queue_name: str, watchers: list[Watcher]) -> None:
        self.queue_name, self.watchers = queue_name, watchers
        self.is_traced = tracing.is_on()

    def run_sync(self, current: run.Run) -> Ending:
        with self.around(current, self.before_step(current)) as attempt:
            return self.ended(current, attempt, run.run_sync(current))

    async def run_async(self, current: run.Run) -> Ending:
        before = None
        if self.is_traced and run.workflow_of(current.assignment.args) is not None:
            before = await sync_to_async(self.before_step)(current)
        with self.around(current, before) as attempt:
            return self.ended(current, attempt, await run.run_async(current))

    def before_step(self, current: run.Run) -> Any:
        """Of a step under a trace: its run's trace and the steps before it."""
        if not self.is_traced:
            return None
        from . import spans  # with the setting alone

        with contextlib.suppress(Exception):  # it runs without
            return spans.before_step(current)
        return None

    @contextlib.contextmanager
    def around(self, current: run.Run, before: Any) -> Iterator[Attempt]:
        job, task = current.assignment, current.task
        attempt = Attempt(
            job_id=job.job_id,
            task_name=job.task_name if task is None else task.name,
            queue_name=self.queue_name,
            tenant_id=job.tenant_id,
            number=job.attempt,
            max_attempts=1 if task is None else task.max_attempts,
            worker_id=job.worker_id,
            workflow_id=run.workflow_of(job.args),
        )
        current.keeps_error = True
        with contextlib.ExitStack() as stack:
            if self.is_traced:
                from . import spans

                stack.enter_context(_harmless("spans", spans.around(attempt, current.trace, before)))
            for name, watcher in zip(settings().attempt_watchers, self.watchers, strict=True):
                stack.enter_context(_harmless(name, lambda watcher=watcher: watcher(attempt)))  # type: ignore[misc]
            yield attempt
        current.error = attempt.error = None  # it holds the task's frames

    def ended(self, current: run.Run, attempt: Attempt, ending: Ending) -> Ending:
        error = current.error
        attempt.error = error if error is None or current.hidden is None else current.hidden.error(error)
        happened = Happened(ending["happened"])
        if current.task is not None:
            decision = decide(
                happened, current.task, attempt=attempt.number, crash_count=0, asked_s=ending.get("asked_s", 0)
            )
            attempt.outcome = decision.outcome
        elif error is not None:
            attempt.outcome = "failed"
        return ending


@contextlib.contextmanager
def _harmless(name: str, watch: Callable[[], contextlib.AbstractContextManager[Any]]) -> Iterator[None]:
    """Around an attempt; whatever fails in a watcher is its own, and the attempt goes on."""
    with contextlib.ExitStack() as inside:
        try:
            inside.enter_context(watch())
        except Exception:
            logger.exception("an attempt is not watched watcher=%s", name)
        yield
        try:
            inside.close()
        except Exception:
            logger.exception("a watcher failed watcher=%s", name)
