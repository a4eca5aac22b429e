"""What may be said of dead letters over HTTP, and how they are answered."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from youtility_tasks.dead_letters.redriving import FASTEST, SLOWEST
from youtility_tasks.models.jobs import NO_FINGERPRINT
from youtility_tasks.problems import Problem
from youtility_tasks.visits import Place

from .job_words import ActedMany, JobLine
from .words import Given, Instant, Name, OfTenant, Paged, PageSize, QueryInstant, Said, Why

MOST_DISCARDED = 2_000
"""By one request, in one transaction."""

_Fingerprint = Annotated[
    str,
    Field(
        pattern=rf"^([0-9a-f]{{16}}|{NO_FINGERPRINT})$",
        description=f"Of the error, as the groups have it; {NO_FINGERPRINT}: nobody has said an error.",
    ),
]


class GroupQuery(OfTenant):
    task: Name | None = None
    queue: Name | None = None
    fingerprint: _Fingerprint | None = None
    since: QueryInstant | None = Field(None, description="Only what failed for good from then on.")
    until: QueryInstant | None = Field(None, description="Only what had failed by then.")
    limit: PageSize = Field(50, description="At most so many.")


class LetterQuery(Paged, GroupQuery):
    """A page of letters that are all of this."""


class Example(Given):
    job: int
    error_message: str


class Group(Given):
    fingerprint: str
    task: str
    error_class: str
    place: str = Field(description="File and function; empty to an operator, as what it says.")
    says: str
    count: int
    tenants: int
    first_seen_at: str | None
    last_seen_at: str | None
    example: Example = Field(description="The letter that was enqueued last.")


class Groups(Given):
    groups: list[Group]
    has_more: bool


class Letters(Given):
    dead_letters: list[JobLine]
    next: str | None


class Choice(Said):
    """Which letters: those that are all of this, or `all`."""

    task: Name | None = None
    queue: Name | None = None
    fingerprint: _Fingerprint | None = None
    since: Instant | None = Field(None, description="Only what failed for good from then on.")
    until: Instant | None = Field(None, description="Only what had failed by then.")
    all: bool = Field(False, description="Every dead letter; needed where nothing else says which ones.")


class Discard(Choice):
    reason: str = Field(min_length=1, max_length=1_000, pattern=r"\S", description="Kept in history and audit log.")
    most: Annotated[int, Field(ge=1, le=MOST_DISCARDED)] = Field(500, description="At most so many, oldest first.")


class Discarded(ActedMany):
    has_more: bool = Field(description="There were more than `most`: ask again.")


class NewRedrive(Choice, Why):
    rate_per_s: Annotated[float, Field(ge=SLOWEST, le=FASTEST)] | None = Field(
        None, description="So many come due each second; null: all at once."
    )
    set: dict[str, Any] = Field({}, description="Arguments given anew, by name; takes `task`, and one tenant.")


class Retry(Why):
    set: dict[str, Any] = Field({}, description="Arguments given anew, by name.")


class Would(Given):
    letters: int = Field(description="So many would be looked at now.")


class Refused(Given):
    job: int
    why: str


class Redrive(Given):
    id: int
    tenant: int | None
    filter: dict[str, str]
    rate_per_s: float | None
    set: list[str] = Field(description="The names of the arguments given anew.")
    status: str = Field(description='"unfinished", "ended", or "stopped" by somebody before its end.')
    letters: int = Field(description="That there were as it began.")
    done: int
    refused_count: int
    refused: list[Refused] = Field(description="The first of them, and why they stay dead letters.")
    last_due_at: str | None
    started_by: str
    reason: str
    started_at: str
    ended_at: str | None


class RedriveDocument(Given):
    redrive: Redrive


class Redrives(Given):
    redrives: list[Redrive]
    next: str | None


def refuse_operators(place: Place) -> None:
    """Raises Problem 403 for who acts for all tenants: who may not read arguments changes none."""
    if place.is_ops:
        raise Problem(
            403, "not-allowed", "Not allowed",
            "Operators see metadata: giving arguments anew takes a role for the tenant (?tenant=ID).",
        )  # fmt: skip
