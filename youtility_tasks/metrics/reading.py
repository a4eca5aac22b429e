"""What ended in a span of time: by step for a chart, or in all for a table. Read from minutes and hours, never from old history."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

from youtility_tasks import queries
from youtility_tasks.conf import settings
from youtility_tasks.errors import WrongSpan, did_you_mean

from . import HOUR, HOUR_S, MINUTE_S
from .present import database_clock
from .sums import Sums

DAY_S = 86_400
MOST_STEPS = 5_000
_ALL_TENANTS = -1
_CLOCKS_DIFFER = timedelta(days=1)
LONGEST = timedelta(days=36_525)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
GroupBy = Literal["queue", "task", "outcome", "tenant"]
GROUPS: tuple[GroupBy, ...] = ("queue", "task", "outcome", "tenant")


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """Attempts that ended in a span of time. Percentiles are the nearest rank, within 5 % of the exact one; the longest is exact."""

    counts: Mapping[str, int] = field(default_factory=dict)
    """Outcome (`status.Outcome`) -> how many; outcomes that did not come are left out."""
    attempt_count: int = 0
    """All but those that were cancelled before they began."""
    succeeded_count: int = 0
    retried_count: int = 0
    """Attempts that failed and that another follows."""
    failed_count: int = 0
    """Attempts that made their job a dead letter."""
    per_s: float = 0.0
    """`attempt_count` a second, over the whole span."""
    wait_p50_ms: float | None = None
    wait_p95_ms: float | None = None
    wait_p99_ms: float | None = None
    wait_max_ms: float | None = None
    wait_mean_ms: float | None = None
    run_p50_ms: float | None = None
    run_p95_ms: float | None = None
    run_p99_ms: float | None = None
    run_max_ms: float | None = None
    run_mean_ms: float | None = None
    cpu_sum_ms: float = 0.0
    cpu_max_ms: float | None = None
    peak_memory_max_kib: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Point(Numbers):
    """One step of a series: what ended from `begins_at` to before `begins_at + step_s`."""

    begins_at: datetime
    step_s: int
    group: str | None
    """The queue, task, outcome or tenant id; None where nothing tells them apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary(Numbers):
    """A whole span: of everything, or of what the names say."""

    queue_name: str | None = None
    task_name: str | None = None
    tenant_id: int | None = None
    outcome: str | None = None


def series(
    *,
    since: datetime,
    until: datetime,
    step_s: int,
    tenant_id: int | None = None,
    queue_name: str | None = None,
    task_name: str | None = None,
    group_by: GroupBy | None = None,
) -> list[Point]:
    """A point for each step of `step_s` seconds (whole minutes) from `since` on, for each group that has any, steps without
    attempts among them; by group, then in time. Without `group_by` one series, also of nothing.

    `since` goes down to a minute, and where minutes are kept no longer (`metrics_minute_days`) to an hour. Newest attempts are in,
    also those that upkeep has not added up yet. Raises WrongSpan: no span, too many steps, or steps that are kept no longer.
    """
    _check(group_by, since, until)
    if step_s < MINUTE_S or step_s % MINUTE_S:
        raise WrongSpan(f"step_s is {step_s!r}; right are whole minutes, for example 60 or 3600.")
    begins_at = _floor(since, MINUTE_S)
    minutes_from = _minutes_from(begins_at)
    is_by_hour = step_s % HOUR_S == 0 and begins_at == _floor(since, HOUR_S)
    if not is_by_hour and begins_at < minutes_from:
        if step_s % HOUR_S:
            raise WrongSpan(
                f"step_s is {step_s} from {since:%Y-%m-%d %H:%M}; minutes are kept for {settings().metrics_minute_days} days "
                f"(metrics_minute_days). Ask for steps of whole hours, or from {minutes_from:%Y-%m-%d %H:%M}Z on."
            )
        is_by_hour, begins_at = True, _floor(since, HOUR_S)
    step_count = -(-int((until - begins_at).total_seconds()) // step_s)
    if step_count > MOST_STEPS:
        raise WrongSpan(
            f"{step_count} steps of {step_s} s; right are at most {MOST_STEPS}. Take longer steps or a shorter span."
        )
    ends_at = begins_at + timedelta(seconds=step_count * step_s)
    found = _read(
        begins_at,
        ends_at,
        hours=(begins_at, ends_at) if is_by_hour else (ends_at, ends_at),
        step_s=step_s,
        only=(tenant_id, queue_name, task_name),
        by={group_by} if group_by else set(),
    )
    groups = sorted({key.group(group_by) for key in found}, key=str) if group_by else [None]
    by_place = {(key.group(group_by), key.step): sums for key, sums in found.items()}
    nothing = Sums()
    return [
        Point(
            begins_at=begins_at + timedelta(seconds=n * step_s),
            step_s=step_s,
            group=group,
            **by_place.get((group, n), nothing).numbers(step_s),
        )
        for group in groups
        for n in range(step_count)
    ]


def summary(
    *,
    since: datetime,
    until: datetime,
    by: GroupBy | None = None,
    tenant_id: int | None = None,
    queue_name: str | None = None,
    task_name: str | None = None,
) -> list[Summary]:
    """The same numbers over the whole span: one row of all, or one for each queue, tenant or outcome, or for each task on a queue
    that has any, by name. `since` and `until` go down and up to a minute; where minutes are kept no longer, to an hour.

    Raises WrongSpan when there is no span.
    """
    _check(by, since, until)
    begins_at, ends_at = _floor(since, MINUTE_S), _ceil(until, MINUTE_S)
    minutes_from = _minutes_from(begins_at)
    hours_from, hours_to = _ceil(begins_at, HOUR_S), _floor(ends_at, HOUR_S)
    if begins_at < minutes_from:
        begins_at = hours_from = _floor(begins_at, HOUR_S)
    if hours_to < minutes_from:
        ends_at = hours_to = _ceil(ends_at, HOUR_S)
    if hours_from >= hours_to:
        hours_from = hours_to = ends_at
    span_s = (ends_at - begins_at).total_seconds()
    found = _read(
        begins_at,
        ends_at,
        hours=(hours_from, hours_to),
        step_s=span_s,
        only=(tenant_id, queue_name, task_name),
        by={"queue", "task"} if by == "task" else {by} if by else set(),
    )
    rows = [
        Summary(
            queue_name=key.queue_name,
            task_name=key.task_name,
            tenant_id=key.tenant_id,
            outcome=key.outcome if by == "outcome" else None,
            **sums.numbers(span_s),
        )
        for key, sums in found.items()
    ]
    return rows or ([] if by else [Summary()])


def last_hour(*, tenant_id: int | None = None) -> tuple[Summary, dict[str, Summary], list[Summary]]:
    """What ended in the last hour, asked for once: in all, by queue's name, and by task on a queue. What was cancelled makes no row."""
    now = database_clock()
    begins_at, ends_at = _floor(now - HOUR, MINUTE_S), _ceil(now, MINUTE_S)
    found = _read(
        begins_at,
        ends_at,
        hours=(ends_at, ends_at),
        step_s=2 * HOUR_S,
        only=(tenant_id, None, None),
        by={"queue", "task"},
    )
    whole, by_queue = Sums(), defaultdict[str, Sums](Sums)
    for key, sums in found.items():
        whole.merge(sums)
        by_queue[str(key.queue_name)].merge(sums)
    span_s = (ends_at - begins_at).total_seconds()
    queues = {name: Summary(queue_name=name, **sums.numbers(span_s)) for name, sums in by_queue.items()}
    tasks = [
        Summary(queue_name=key.queue_name, task_name=key.task_name, **sums.numbers(span_s))
        for key, sums in found.items()
    ]
    return (
        Summary(**whole.numbers(span_s)),
        {name: each for name, each in queues.items() if each.attempt_count},
        [each for each in tasks if each.attempt_count],
    )


def _minutes_from(since: datetime) -> datetime:
    """The hour before which there are whole hours only; that of `since`, if no minute from then on is missing. By the database's clock,
    which is asked where this host's leaves it open."""
    # An hour early: what upkeep is about to take away is not relied on.
    kept = timedelta(days=settings().metrics_minute_days) - HOUR
    if since > datetime.now(UTC) - kept + _CLOCKS_DIFFER:
        return _floor(since, HOUR_S)
    return _ceil(database_clock() - kept, HOUR_S)


@dataclass(frozen=True, slots=True)
class _Key:
    step: int
    queue_name: str | None
    task_name: str | None
    tenant_id: int | None
    outcome: str | None

    def group(self, by: GroupBy | None) -> str | None:
        named = {"queue": self.queue_name, "task": self.task_name, "tenant": self.tenant_id, "outcome": self.outcome}
        return None if by is None else str(named[by])


def _read(
    since: datetime,
    until: datetime,
    *,
    hours: tuple[datetime, datetime],
    step_s: float,
    only: tuple[int | None, str | None, str | None],
    by: set[GroupBy],
) -> dict[_Key, Sums]:
    """`hours`: from when to when whole hours are read, of those whole days where a day lies in one step; before and after them minutes."""
    tenant_id, queue_name, task_name = only
    level = 2 if task_name is not None or "task" in by else 1 if queue_name is not None or "queue" in by else 0
    is_of_all = tenant_id is None and "tenant" not in by
    days = _ceil(hours[0], DAY_S), _floor(hours[1], DAY_S)
    is_one_step = since + timedelta(seconds=step_s) >= until
    is_by_day = is_one_step or (step_s % DAY_S == 0 and since == _floor(since, DAY_S))
    if not is_by_day or days[0] >= days[1] or not (is_of_all or tenant_id is not None):
        days = hours[1], hours[1]
    rows = queries.fetch(
        "read_metrics",
        {
            "since": since,
            "until": until,
            "hours_from": hours[0],
            "hours_to": hours[1],
            "days_from": days[0],
            "days_to": days[1],
            "late_s": settings().metrics_late_hours * HOUR_S,
            "step_s": step_s,
            "tenant_id": tenant_id,
            "queue_name": queue_name,
            "task_name": task_name,
            # As MetricsSum has them: of one tenant hours alone, and none by task.
            "sums_of": _ALL_TENANTS if tenant_id is None else tenant_id,
            "level": level,
            "hours_summed": is_of_all or (tenant_id is not None and level < 2),
            "minutes_summed": is_of_all,
            **{f"by_{each}": each in by for each in ("queue", "task", "tenant")},
        },
    )
    found: dict[_Key, Sums] = {}
    for step, queue, task, tenant, outcome, *rest in rows:
        key = _Key(step, queue, task, tenant, outcome if "outcome" in by else None)
        found.setdefault(key, Sums()).add((outcome, *rest))
    return found


def _check(by: str | None, since: datetime, until: datetime) -> None:
    if by is not None and by not in GROUPS:
        raise WrongSpan(f"Numbers by {by!r}; known: {', '.join(GROUPS)}.{did_you_mean(by, GROUPS)}")
    for name, each in (("since", since), ("until", until)):
        if each.tzinfo is None:
            raise WrongSpan(f"{name} is {each.isoformat()}, which names no zone; right is an instant with one.")
    if not since < until:
        raise WrongSpan(f"From {since.isoformat()} until {until.isoformat()} is no span; right is a later end.")
    if until - since > LONGEST:
        raise WrongSpan(f"From {since.isoformat()} until {until.isoformat()} is longer than {LONGEST.days} days.")


def _floor(instant: datetime, to_s: int) -> datetime:
    return _EPOCH + timedelta(seconds=(instant - _EPOCH) // timedelta(seconds=to_s) * to_s)


def _ceil(instant: datetime, to_s: int) -> datetime:
    return _EPOCH - timedelta(seconds=(_EPOCH - instant) // timedelta(seconds=to_s) * to_s)
