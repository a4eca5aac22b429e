"""What may be said of a schedule over HTTP, and how it is answered."""

from __future__ import annotations

from datetime import time
from typing import Annotated, Any

from pydantic import Field

from youtility_tasks.models.schedules import Days, Missed, Overlap

from . import words
from .words import Given, Instant, Name, OfTenantOrSweeps, Why

_Seconds = Annotated[int, Field(ge=1, le=366 * 86_400)]


class Rule(Why):
    """What a schedule says; one of `cron`, `every_s` and `at` says when. What is not named stays, or is usual."""

    args: dict[str, Any] | None = Field(None, description="Arguments by name.")
    cron: str | None = Field(
        None, max_length=200, description="minute hour day month weekday, on the clock of its zone."
    )
    every_s: _Seconds | None = Field(None, description="By elapsed time.")
    at: Instant | None = Field(None, description="Once; with every_s: a tick from which it counts.")
    zone: str | None = Field(None, max_length=64, description="Asia/Kolkata; empty: the tenant's.")
    until: Instant | None = Field(None, description="No tick from then on.")
    days: Days | None = None
    working_weekdays: str | None = Field(None, min_length=1, max_length=7, description="12345 is Monday to Friday.")
    site_id: Annotated[int, Field(ge=-(2**63), le=2**63 - 1)] | None = Field(
        None, description="Whose holidays count, too."
    )
    quiet: tuple[time, time] | None = Field(
        None, description='No ticks in these hours of its clock: ["22:00", "06:00"].'
    )
    jitter_s: Annotated[int, Field(ge=0, le=86_400)] | None = Field(None, description="Jobs start up to so much later.")
    missed: Missed | None = None
    missed_most: Annotated[int, Field(ge=1, le=1_000)] | None = None
    grace_s: Annotated[int, Field(ge=1, le=30 * 86_400)] | None = Field(None, description="Older, a tick is missed.")
    overlap: Overlap | None = None
    expire_s: Annotated[int, Field(ge=1, le=366 * 86_400)] | None = Field(
        None, description="A job of it that nobody has begun so long after its tick is not run."
    )
    queue: Name | None = None
    priority: Annotated[int, Field(ge=1, le=10)] | None = None
    tick_argument: str | None = Field(None, max_length=64, description="Argument that is given the tick, in seconds.")


class NewRule(Rule):
    name: Name
    task: Name


class Change(Rule):
    task: Name | None = None


class Draft(Rule):
    task: Name
    count: Annotated[int, Field(ge=1, le=100)] = 5


class ScheduleFacts(Given):
    id: int
    name: str
    tenant: int
    task: str
    args: dict[str, Any] | None = Field(description="Null to an operator.")
    tick_argument: str
    queue_name: str
    priority: int | None
    kind: str
    cron: str
    every_s: int | None
    at: str | None
    zone: str
    until: str | None
    days: str
    working_weekdays: str
    site_id: int | None
    quiet_from: str | None
    quiet_to: str | None
    jitter_s: int
    missed: str
    missed_most: int
    grace_s: int
    overlap: str
    expire_s: int | None
    version: int
    is_paused: bool
    paused_until: str | None
    paused_by: str | None
    next_at: str | None
    changed_at: str
    changed_by: str
    is_removed: bool


class Schedules(Given):
    schedules: list[ScheduleFacts]
    next: str | None


class ScheduleDocument(Given):
    schedule: ScheduleFacts


class Tick(Given):
    utc: str
    wall: str = Field(description="The same instant on the schedule's own clock.")
    starts_at: str
    skipped: str | None
    detail: str


class Ticks(Given):
    next: list[Tick]


class Occurrence(Given):
    tick_at: str
    outcome: str
    reason: str | None
    detail: str
    job: int | None
    version: int
    starts_at: str | None
    decided_at: str
    tick_count: int
    by_hand: bool


class Occurrences(Given):
    occurrences: list[Occurrence]


class JobId(Given):
    id: int


class MadeJob(Given):
    job: JobId


class Many(OfTenantOrSweeps):
    limit: words.PageSize = 50


class Ahead(OfTenantOrSweeps):
    count: words.Ahead = Field(5, description="So many ticks.")


class ScheduleQuery(OfTenantOrSweeps, words.Paged):
    name: Name | None = None
