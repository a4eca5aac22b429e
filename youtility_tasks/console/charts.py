"""Charts of what ended, made of stored numbers: throughput by outcome, waits and runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from youtility_tasks import metrics
from youtility_tasks.listing import JobFilter
from youtility_tasks.metrics import Point

from .visit import Visit

SPANS: dict[str, tuple[timedelta, int]] = {
    "1h": (timedelta(hours=1), 60),
    "6h": (timedelta(hours=6), 300),
    "24h": (timedelta(hours=24), 3_600),
    "7d": (timedelta(days=7), 3_600 * 2),
    "30d": (timedelta(days=30), 86_400),  # a day in UTC, which is added up already
}
"""Word -> how far back, in steps of so many seconds."""
USUAL = "1h"
_STEPS = (60, 300, 1_200, 3_600, 7_200, 21_600, 86_400, 604_800)
_MOST_STEPS = 90


@dataclass(frozen=True, slots=True)
class Chart:
    """One picture, its numbers as a table, and what it says in a sentence."""

    id: str
    title: str
    says: str
    data: dict[str, Any]
    begins: Sequence[datetime] = field(default_factory=list)

    @property
    def rows(self) -> list[tuple[datetime, list[float | None], str]]:
        """Its steps, newest first; with the address of what a step stands for, where the chart leads anywhere."""
        columns = [each["values"] for each in self.data["series"]]
        ends = [*self.begins[1:], *(self.begins[-1] + (self.begins[-1] - self.begins[-2]) for _ in self.begins[1:2])]
        made = [
            (at, [column[n] for column in columns], self._picked(at, ends[n]) if len(ends) == len(self.begins) else "")
            for n, at in enumerate(self.begins)
        ]
        return made[::-1]

    def _picked(self, since: datetime, until: datetime) -> str:
        pick: str = self.data.get("pick", "")
        return pick.replace("SINCE", f"{since:%Y-%m-%dT%H:%M:%SZ}").replace("UNTIL", f"{until:%Y-%m-%dT%H:%M:%SZ}")


def span(visit: Visit) -> tuple[str, datetime, datetime, int]:
    """The span that the address says (`span`, or `until` beside it), and the length of a step in seconds."""
    word = visit.words.choice("span", SPANS) or USUAL
    length, step_s = SPANS[word]
    until = visit.words.instant("until") or datetime.now(UTC)
    since = until - length
    since -= timedelta(
        seconds=since.timestamp() % step_s
    )  # on the hour where steps are hours: those are stored as such
    return word, since, until, step_s


def of_work(visit: Visit, *, queue_name: str | None = None, task_name: str | None = None) -> list[Chart]:
    """How many ended, how long they had waited, and how long they ran; two queries."""
    _, since, until, step_s = span(visit)
    points = metrics.series(
        since=since, until=until, step_s=step_s, tenant_id=visit.tenant_id, queue_name=queue_name, task_name=task_name
    )
    return [
        throughput(points, pick=visit.to("jobs", queue=queue_name, task=task_name, since="SINCE", until="UNTIL")),
        _spans("waits", "Wait before the start", points, "wait_p50_ms", "wait_p95_ms", "wait_max_ms"),
        _spans("runs", "Run", points, "run_p50_ms", "run_p95_ms", "run_max_ms"),
    ]


def throughput(points: Sequence[Point], *, pick: str = "") -> Chart:
    """How many ended in each step, by how."""
    good = [each.succeeded_count for each in points]
    again = [each.retried_count for each in points]
    bad = [each.failed_count for each in points]
    says = f"{sum(good):,} attempts succeeded, {sum(again):,} will be retried, {sum(bad):,} failed for good."
    series = [
        {"label": "succeeded", "color": "good", "kind": "bars", "values": good},
        {"label": "retried", "color": "warn", "kind": "bars", "values": again},
        {"label": "failed for good", "color": "bad", "kind": "bars", "values": bad},
    ]
    return Chart(
        "throughput", "Attempts that ended", says, _data(points, series, stacked=True, pick=pick), _begins(points)
    )


def of_jobs(visit: Visit, wanted: JobFilter, pick: str) -> Chart:
    """What ended in the time that a list of jobs is narrowed to, or in the last hour; about sixty steps. Two queries."""
    until = wanted.until or datetime.now(UTC)
    since = min(wanted.since or until - timedelta(hours=1), until - timedelta(minutes=5))
    step_s = next((each for each in _STEPS if (until - since).total_seconds() / each <= _MOST_STEPS), None)
    if step_s is None:  # of more than can be drawn the newest
        step_s = _STEPS[-1]
        since = until - timedelta(seconds=_MOST_STEPS * step_s)
    points = metrics.series(
        since=since, until=until, step_s=step_s, tenant_id=wanted.tenant_id, queue_name=wanted.queue_name,
        task_name=next(iter(wanted.task_names), None),
    )  # fmt: skip
    return throughput(points, pick=pick)


def _spans(name: str, title: str, points: Sequence[Point], usual: str, most: str, longest: str) -> Chart:
    values = [getattr(each, most) for each in points]
    known = [value for value in values if value is not None]
    says = f"95 % took at most {max(known) / 1_000:.1f} s in the slowest step." if known else "Nothing ended."
    series = [
        {
            "label": "half took at most",
            "color": "busy",
            "kind": "line",
            "values": [getattr(each, usual) for each in points],
        },
        {"label": "95 %", "color": "warn", "kind": "line", "values": values},
        {"label": "longest", "color": "quiet", "kind": "line", "values": [getattr(each, longest) for each in points]},
    ]
    return Chart(name, title, says, _data(points, series, unit="ms"), _begins(points))


def _begins(points: Sequence[Point]) -> list[datetime]:
    return [each.begins_at for each in points]


def _data(points: Sequence[Point], series: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {"x": [each.begins_at.timestamp() for each in points], "series": series, **more}
