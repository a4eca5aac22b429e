"""Numbers of the attempts that ended: a span in steps for a chart, or as a whole for a table."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import Field

from youtility_tasks import metrics
from youtility_tasks.documents import numbers as documents

from .endpoints import endpoint
from .words import Digits, Given, Name, OfTenant, QueryInstant


class Span(OfTenant):
    """From when to when, and of what."""

    since: QueryInstant | None = Field(None, description="An hour before `until`, unless given.")
    until: QueryInstant | None = Field(None, description="Now, unless given.")
    queue: Name | None = None
    task: Name | None = None
    by: Literal["queue", "task", "outcome", "tenant"] | None = Field(
        None, description="Told apart by it; as a whole unless given."
    )


class Steps(Span):
    """A span in steps."""

    step_s: Annotated[int, Field(ge=60, le=366 * 86_400), Digits] = Field(
        60, description="Length of a step, in seconds: whole minutes; of old spans whole hours. At most 5,000 steps."
    )


class Numbers(Given):
    attempts: int = Field(description="All but those that were cancelled before they began.")
    succeeded: int
    retried: int
    failed: int
    outcomes: dict[str, int]
    per_second: float
    wait_p50_ms: float | None = Field(description="Percentiles are within 5 % of the exact ones.")
    wait_p95_ms: float | None
    wait_p99_ms: float | None
    wait_max_ms: float | None
    wait_mean_ms: float | None
    run_p50_ms: float | None
    run_p95_ms: float | None
    run_p99_ms: float | None
    run_max_ms: float | None
    run_mean_ms: float | None
    cpu_sum_ms: float
    cpu_max_ms: float | None
    peak_memory_max_bytes: int | None


class NumbersAt(Numbers):
    at: str


class Line(Given):
    group: str | None
    points: list[NumbersAt]


class Series(Given):
    by: str | None
    step_s: int
    series: list[Line]


class Row(Numbers):
    queue: str | None
    task: str | None
    tenant: int | None
    outcome: str | None


class Summary(Given):
    since: str
    until: str
    by: str | None
    rows: list[Row]


@endpoint("GET", "metrics/series/", query=Steps, gives=Series, refusals=(422,))
def get_series(query: Steps, place: Any) -> dict[str, Any]:
    """What ended in a span, step by step, also the attempts of the last seconds; a line for each group that had any."""
    words = _words(query, place)
    return documents.series(query.by, query.step_s, metrics.series(**words, step_s=query.step_s, group_by=query.by))


@endpoint("GET", "metrics/summary/", query=Span, gives=Summary, refusals=(422,))
def get_summary(query: Span, place: Any) -> dict[str, Any]:
    """What ended in a span as a whole; by task a row for each task on a queue."""
    words = _words(query, place)
    return documents.summary(words["since"], words["until"], query.by, metrics.summary(**words, by=query.by))


def _words(query: Span, place: Any) -> dict[str, Any]:
    until = query.until or metrics.database_clock()
    return {
        "since": query.since or until - timedelta(hours=1),
        "until": until,
        "tenant_id": place.tenant_id,
        "queue_name": query.queue,
        "task_name": query.task,
    }
