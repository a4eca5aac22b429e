"""Asks the house for what the monitor shows, and tells it what somebody at the keys wants done.

Every question runs on one thread with one connection of its own, so the screen never waits for the database; one that takes longer
than `DEADLINE_S` is cut.
"""

from __future__ import annotations

import asyncio
import contextvars
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from types import TracebackType
from typing import TypeVar

import psycopg
from django.db import Error, connections

from youtility_tasks import controls, dead_letters, history, listing, metrics, queries, schedules, tenants, why
from youtility_tasks.conf import settings
from youtility_tasks.controls import Control
from youtility_tasks.dead_letters import Group, Letters
from youtility_tasks.history import JobStory
from youtility_tasks.listing import JobFilter, JobLine
from youtility_tasks.metrics import QueueNumbers
from youtility_tasks.models import ScheduledTask, TaskWorker

DEADLINE_S = 10.0
RATE_OVER_S = 60
MOST_JOBS, MOST_GROUPS = 200, 100
_RATES_EVERY_S = 10.0
_SHARE = 20
"""Rates are counted anew after so many times the time that counting them took."""

Answer = TypeVar("Answer")


class Pane(StrEnum):
    """What is looked at."""

    QUEUES = "queues"
    WORKERS = "workers"
    JOBS = "jobs"
    FAILURES = "failures"
    SCHEDULES = "schedules"


class Unreachable(Exception):
    """The database did not answer; the text says what it was."""


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen; what a pane does not show was not asked for, and is empty."""

    at: datetime
    numbers: list[QueueNumbers]
    rates: dict[str, int] = field(default_factory=dict)
    """Attempts that ended in the last RATE_OVER_S seconds, by queue."""
    controls: list[Control] = field(default_factory=list)
    workers: list[TaskWorker] = field(default_factory=list)
    jobs: list[JobLine] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    schedules: list[ScheduledTask] = field(default_factory=list)


class Desk:
    """For one tenant, or (None) for all; as who the caller connects as. Not for two loops at once."""

    def __init__(self, tenant_id: int | None) -> None:
        self.tenant_id = tenant_id
        self._thread = ThreadPoolExecutor(1, "monitor")
        self._context = contextvars.copy_context()
        self._rates: dict[str, int] = {}
        self._rates_after = 0.0

    def __enter__(self) -> Desk:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._thread.submit(lambda: connections[settings().database].close())
        self._thread.shutdown(wait=False)

    async def ask(self, question: Callable[[], Answer]) -> Answer:
        """Its answer. Raises Unreachable, or what the question raises."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._context.run, self._answer, question)

    def _answer(self, question: Callable[[], Answer]) -> Answer:
        connection = connections[settings().database]
        try:
            connection.ensure_connection()
            with queries.deadline(connection.connection, DEADLINE_S):
                return self._in_tenant(question)
        except (Error, psycopg.Error, OSError) as error:
            connection.close()
            said = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise Unreachable(said) from error

    def _in_tenant(self, question: Callable[[], Answer]) -> Answer:
        if self.tenant_id is None:
            return question()
        with tenants.tenant(self.tenant_id):
            return question()

    # -- questions

    def look(self, pane: Pane, wanted: JobFilter) -> Look:
        """What a pane shows now: two to four queries."""
        at, numbers = metrics.database_clock(), metrics.queue_numbers(tenant_id=self.tenant_id)
        match pane:
            case Pane.QUEUES:
                return Look(at, numbers, self._counted(), controls=controls.listing())
            case Pane.WORKERS:
                return Look(at, numbers, workers=workers() if self.sees_workers else [])
            case Pane.JOBS:
                return Look(at, numbers, jobs=listing.jobs(wanted, limit=MOST_JOBS))
            case Pane.FAILURES:
                return Look(at, numbers, groups=dead_letters.groups(Letters(), limit=MOST_GROUPS))
            case Pane.SCHEDULES:
                return Look(at, numbers, schedules=schedules.listing(all_tenants=self.tenant_id is None))

    @property
    def sees_workers(self) -> bool:
        """Who works where is an operator's to see."""
        return self.tenant_id is None

    def look_at_all(self) -> Look:
        """Everything but jobs, once."""
        return Look(
            metrics.database_clock(),
            metrics.queue_numbers(tenant_id=self.tenant_id),
            self._counted(),
            controls.listing(),
            workers() if self.sees_workers else [],
            groups=dead_letters.groups(Letters(), limit=MOST_GROUPS),
            schedules=schedules.listing(all_tenants=self.tenant_id is None),
        )

    def story(self, job_id: int) -> tuple[JobStory | None, str]:
        """One job, and why it stands where it does."""
        known = history.story(job_id, tenant_id=self.tenant_id)
        return known, why.why(job_id).sentence if known is not None else ""

    def _counted(self) -> dict[str, int]:
        began = time.monotonic()
        if began >= self._rates_after:
            now = metrics.database_clock()
            since = (now - timedelta(seconds=RATE_OVER_S)).replace(second=0, microsecond=0)  # numbers go by the minute
            lately = metrics.summary(since=since, until=now, by="queue", tenant_id=self.tenant_id)
            share = RATE_OVER_S / (now - since).total_seconds()
            self._rates = {str(each.queue_name): round(each.attempt_count * share) for each in lately}
            self._rates_after = time.monotonic() + max(_RATES_EVERY_S, _SHARE * (time.monotonic() - began))
        return self._rates


def workers() -> list[TaskWorker]:
    """Those that are there, by queue."""
    return list(TaskWorker.objects.present().with_silence().order_by("queue_name", "pk"))
