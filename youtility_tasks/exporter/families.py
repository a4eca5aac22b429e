"""Readings as Prometheus metrics: which there are, their names, labels and buckets. The names are a contract (README, "Metrics")."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from youtility_tasks import queues
from youtility_tasks.conf import settings
from youtility_tasks.metrics.histogram import PER_OCTAVE, Histogram

from . import promises, server
from .source import Readings, Source

BOUNDS: tuple[tuple[str, int], ...] = tuple((f"{2**n / 1000}", n * PER_OCTAVE) for n in range(20))
"""The histograms' bounds, 1 ms to 524.288 s, each twice the one before, as (seconds, bucket of ours that ends there): exact counts."""
_STATUSES = ("todo", "doing", "scheduled", "failed")
_RESCUES = ("worker_silent",)
_RUNS = ("running", "succeeded", "failed", "cancelled")

Families = Iterator[Metric]


class Numbers(Collector):
    """All families of one scrape. `youtility_up` is 0, and the only one, when the database does not answer within a second."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def collect(self) -> Families:
        """Asked by the registry at each scrape."""
        found = self._source.read()
        yield GaugeMetricFamily("youtility_up", "1: the database has answered.", value=found is not None)
        if found is not None:
            yield from families(found)

    def describe(self) -> Iterable[Metric]:
        """Nothing ahead: a process that starts asks no database."""
        return []


def families(found: Readings) -> Families:
    """Counters from totals that never fall, gauges from what is there."""
    yield from _attempts(found.totals)
    yield from server.families(found.server)
    present: dict[str, dict[tuple[str, str], float]] = defaultdict(dict)
    for name, label, other, value in found.present:
        present[name][label, other] = value or 0.0
    known = sorted(queues.configured())
    jobs = present["queue_jobs"]
    yield _gauge(
        "queue_jobs", "Jobs by where they stand; scheduled: not due yet, failed: dead letters.", ["queue", "status"],
        {**{(name, status): 0.0 for name in known for status in _STATUSES}, **jobs},
    )  # fmt: skip
    yield _gauge(
        "queue_oldest_seconds", "How long the oldest due job has been waiting.", ["queue"],
        {**{(name,): 0.0 for name in known}, **_ones(present["queue_oldest_seconds"])},
    )  # fmt: skip
    yield _gauge(
        "dead_letters", "Jobs that failed for good and wait for somebody.", ["queue"],
        {**{(name,): 0.0 for name in known}, **{(name,): n for (name, status), n in jobs.items() if status == "failed"}},
    )  # fmt: skip
    yield _gauge(
        "workers", "Worker processes; silent: not heard for longer than the lease.", ["queue", "status"],
        {**{(name, "running"): 0.0 for name in known}, **present["workers"]},
    )  # fmt: skip
    yield _gauge(
        "worker_children", "Child processes that run tasks.", ["queue"],
        {**{(name,): 0.0 for name in known}, **_ones(present["worker_children"])},
    )  # fmt: skip
    yield _gauge(
        "worker_memory_bytes", "Resident memory of a worker and its children.", ["worker"], _ones(present["worker_memory_bytes"])
    )  # fmt: skip
    yield _gauge(
        "schedule_lag_seconds", "How long a schedule's next tick is overdue; other: of schedules that no code declares.",
        ["schedule"], _ones(present["schedule_lag_seconds"]),
    )  # fmt: skip
    yield _gauge(
        "workflow_runs", "Outermost runs: those that run, and those that ended in the last hour.", ["status"],
        {**{(status,): 0.0 for status in _RUNS}, **_ones(present["workflow_runs"])},
    )  # fmt: skip
    yield _counter(
        "rescued", "Jobs taken from a worker that was gone.", ["reason"],
        {**{(reason,): 0.0 for reason in _RESCUES}, **_ones(present["rescued_total"])},
    )  # fmt: skip
    stale = sum(present["stale_writes_rejected_total"].values())
    yield _counter("stale_writes_rejected", "Writes of workers that no longer held the job.", [], {(): stale})
    age = next(iter(present["rollup_age_seconds"].values()), None)
    if age is not None:
        yield _gauge("rollup_age_seconds", "How long ago all ended attempts were in the counters.", [], {(): age})


def _attempts(totals: list[tuple[Any, ...]]) -> Families:
    shows_tenants = settings().metrics_tenants > 0
    counts: Counter[tuple[str, ...]] = Counter()
    waits: dict[tuple[str, ...], Histogram] = defaultdict(Histogram)
    runs: dict[tuple[str, ...], Histogram] = defaultdict(Histogram)
    by_outcome: Counter[tuple[str, str]] = Counter()
    by_wait: dict[str, Histogram] = defaultdict(Histogram)
    took: dict[str, Histogram] = defaultdict(Histogram)
    for (
        tenant,
        queue,
        task,
        outcome,
        count,
        wait_sum,
        wait_buckets,
        wait_counts,
        run_sum,
        run_buckets,
        run_counts,
        took_buckets,
        took_counts,
    ) in totals:
        counts[(task, queue, outcome, tenant) if shows_tenants else (task, queue, outcome)] += count
        waits[task, queue].add(wait_buckets, wait_counts, wait_sum, None, None)
        runs[task, queue].add(run_buckets, run_counts, run_sum, None, None)
        by_outcome[queue, outcome] += count
        by_wait[queue].add(wait_buckets, wait_counts, wait_sum, None, None)
        took[queue].add(took_buckets, took_counts, 0, None, None)
    labels = ["task", "queue", "outcome", *(["tenant"] if shows_tenants else [])]
    yield _counter("task_attempts", "Attempts that ended.", labels, counts)
    yield _histogram("task_wait_seconds", "From when a job was due to when an attempt began.", waits)
    yield _histogram("task_run_seconds", "From when an attempt began to when it ended.", runs)
    yield from promises.families(by_outcome, by_wait, took)


def _histogram(name: str, says: str, found: dict[tuple[str, ...], Histogram]) -> HistogramMetricFamily:
    family = HistogramMetricFamily(f"youtility_{name}", says, labels=["task", "queue"])
    for labels, each in sorted(found.items()):
        total = each.count
        if total:
            buckets = [
                (bound, float(n)) for (bound, _), n in zip(BOUNDS, each.running(b for _, b in BOUNDS), strict=True)
            ]
            family.add_metric(labels, buckets=[*buckets, ("+Inf", float(total))], sum_value=each.sum_ms / 1000)
    return family


def _gauge(name: str, says: str, labels: list[str], found: Any) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"youtility_{name}", says, labels=labels)
    for values, value in sorted(found.items()):
        family.add_metric(values, value)
    return family


def _counter(name: str, says: str, labels: list[str], found: Any) -> CounterMetricFamily:
    family = CounterMetricFamily(f"youtility_{name}", says, labels=labels)
    for values, value in sorted(found.items()):
        family.add_metric(values, value)
    return family


def _ones(found: dict[tuple[str, str], float]) -> dict[tuple[str], float]:
    return {(label,): value for (label, _), value in found.items()}
