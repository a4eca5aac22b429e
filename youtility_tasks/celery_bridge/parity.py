"""Whether a task does on our side what it does in Celery: criteria with names, each with what was seen. Safe means: all that apply hold.

What is compared is what ended since an instant, a day ago unless told otherwise: shadows with Celery's run of the same call, and our own
attempts with Celery's runs as two crowds.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from youtility_tasks import metrics, queries
from youtility_tasks.errors import WrongSpan

LEAST = 100
"""Samples, of pairs or on each side, below which nothing is said to be safe."""
SPAN = timedelta(days=1)
GRACE_S = 600
"""A shadow whose other half has not ended after so many seconds is an odd one."""
SLOWER, RUN_SLACK_MS, WAIT_SLACK_MS = 1.5, 100.0, 1_000.0
"""The 95th percentile on our side may be so many times Celery's, and so many ms beside."""
FAILURES = 0.01
"""So much larger may the share of failed calls be."""
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Crowd:
    """How the calls of one task ended on one side."""

    succeeded: int = 0
    failed: int = 0
    retried: int = 0
    cancelled: int = 0
    wait_p50_ms: float | None = None
    wait_p95_ms: float | None = None
    run_p50_ms: float | None = None
    run_p95_ms: float | None = None

    @property
    def ended(self) -> int:
        """Calls that ended, well or not."""
        return self.succeeded + self.failed

    @property
    def failed_share(self) -> float:
        """Of those that ended."""
        return self.failed / self.ended if self.ended else 0.0


@dataclass(frozen=True, slots=True)
class Pairs:
    """Shadows beside Celery's runs."""

    whole: int = 0
    odd: int = 0
    """Shadows of which Celery's run is missing."""
    compared: int = 0
    """The others had to keep something back."""
    outcomes_differ: int = 0
    results_differ: int = 0
    run_p95_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Criterion:
    """One thing that must hold; None: it does not apply to what was seen."""

    name: str
    holds: bool | None
    said: str


@dataclass(frozen=True, slots=True)
class Differing:
    """One pair that is not alike."""

    celery_id: str
    tenant_id: int
    celery: str
    """What became of it there, and its error."""
    ours: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Report:
    """What is known of one task."""

    task_name: str
    since: datetime
    least: int
    celery: Crowd
    ours: Crowd
    pairs: Pairs
    criteria: tuple[Criterion, ...]
    differing: tuple[Differing, ...] = field(default=())

    @property
    def is_safe(self) -> bool:
        """Whether it is safe to let our side run it."""
        return all(each.holds is not False for each in self.criteria)

    @property
    def failing(self) -> list[str]:
        """The names of what does not hold."""
        return [each.name for each in self.criteria if each.holds is False]


def reports(task_names: Collection[str], *, since: datetime | None = None, least: int = LEAST) -> list[Report]:
    """One for each of these tasks, by name; of all tenants. Raises WrongSpan for a span that has not begun."""
    asked = {
        "task_names": sorted(task_names), "since": since, "span_s": SPAN.total_seconds(), "grace_s": GRACE_S,
    }  # fmt: skip
    rows = queries.fetch("bridge_compared", asked)
    if not rows:
        return []
    begins_at, now = rows[0][:2]
    if begins_at >= now:
        raise WrongSpan(f"Parity since {begins_at.isoformat()}, which is not past yet; right is an instant before now.")
    ours = {each.task_name: _crowd(each) for each in metrics.summary(since=begins_at, until=now, by="task")}
    return [
        _report(name, begins_at, least, Crowd(*said[:8]), ours.get(name, Crowd()), Pairs(*said[8:]))
        for _, _, name, *said in rows
    ]


def with_differing(report: Report) -> Report:
    """The same, with the newest pairs that differ."""
    asked = {"task_name": report.task_name, "since": report.since, "most": _SHOWN}
    rows = queries.fetch("bridge_differing", asked)
    found = tuple(Differing(row[0], row[1], _ended(row[2], row[4]), _ended(row[3], row[5]), row[6]) for row in rows)
    return Report(
        report.task_name, report.since, report.least, report.celery, report.ours, report.pairs, report.criteria, found
    )


def _ended(outcome: str, error_class: str) -> str:
    return f"{outcome} ({error_class})" if error_class else outcome


def _crowd(found: metrics.Summary) -> Crowd:
    return Crowd(
        found.succeeded_count, found.failed_count, found.retried_count, found.counts.get("cancelled", 0),
        found.wait_p50_ms, found.wait_p95_ms, found.run_p50_ms, found.run_p95_ms,
    )  # fmt: skip


def _report(name: str, since: datetime, least: int, celery: Crowd, ours: Crowd, pairs: Pairs) -> Report:
    return Report(name, since, least, celery, ours, pairs, tuple(criteria(celery, ours, pairs, least)))


def criteria(celery: Crowd, ours: Crowd, pairs: Pairs, least: int) -> list[Criterion]:
    """All of them, in the order in which one looks at them."""
    sides = min(celery.ended, ours.ended)
    enough = max(pairs.compared, sides)
    run_ms = pairs.run_p95_ms if pairs.whole and not ours.ended else ours.run_p95_ms
    return [
        Criterion(
            "samples", enough >= least,
            f"{pairs.compared} pairs compared, {celery.ended} calls ended in Celery and {ours.ended} here; at least {least} pairs, or on "
            "each side, are needed",
        ),
        Criterion(
            "complete", pairs.odd == 0 if pairs.whole or pairs.odd else None,
            f"{pairs.odd} shadows whose call has not ended in Celery after {GRACE_S} s",
        ),
        Criterion(
            "outcomes", pairs.outcomes_differ == 0 if pairs.compared else None,
            f"{pairs.outcomes_differ} of {pairs.compared} pairs ended differently",
        ),
        Criterion(
            "results", pairs.results_differ == 0 if pairs.compared else (False if pairs.whole and sides < least else None),
            f"{pairs.results_differ} of {pairs.compared} pairs returned something else; {pairs.whole - pairs.compared} could not be compared",
        ),
        Criterion(
            "failures", ours.failed_share <= celery.failed_share + FAILURES if sides else None,
            f"{ours.failed_share:.1%} of {ours.ended} failed here, {celery.failed_share:.1%} of {celery.ended} in Celery",
        ),
        Criterion("wait", _as_fast(ours.wait_p95_ms, celery.wait_p95_ms, WAIT_SLACK_MS) if sides else None,
                  f"95 % waited at most {_ms(ours.wait_p95_ms)} here, {_ms(celery.wait_p95_ms)} in Celery"),
        Criterion("run", _as_fast(run_ms, celery.run_p95_ms, RUN_SLACK_MS),
                  f"95 % ran at most {_ms(run_ms)} here, {_ms(celery.run_p95_ms)} in Celery"),
    ]  # fmt: skip


def _as_fast(ours_ms: float | None, celery_ms: float | None, slack_ms: float) -> bool | None:
    return None if ours_ms is None or celery_ms is None else ours_ms <= celery_ms * SLOWER + slack_ms


def _ms(value: float | None) -> str:
    return "an unknown time" if value is None else f"{value:,.0f} ms"


def document(report: Report) -> dict[str, Any]:
    """A report for programs."""
    found = asdict(report)
    found["since"] = report.since.isoformat()
    found["differing"] = [{**asdict(each), "at": each.at.isoformat()} for each in report.differing]
    return {"task": found.pop("task_name"), "is_safe": report.is_safe, "failing": report.failing, **found}
