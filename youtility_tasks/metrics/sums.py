"""What attempts of one group and step add up to, and the numbers that are told of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from youtility_tasks.status import Outcome

from .histogram import Histogram


@dataclass(slots=True)
class Sums:
    """Everything of some attempts that can be added up."""

    counts: Counter[str] = field(default_factory=Counter)
    retried_count: int = 0
    dead_letter_count: int = 0
    wait: Histogram = field(default_factory=Histogram)
    run: Histogram = field(default_factory=Histogram)
    cpu_sum_ms: float = 0.0
    cpu_max_ms: float | None = None
    peak_memory_max_kib: int | None = None

    def add(self, row: tuple[Any, ...]) -> None:
        """Add a row of `read_metrics`, from its outcome on."""
        outcome, count, retried, dead, *rest = row
        self.counts[outcome] += count
        if outcome == Outcome.CANCELLED:  # it never ran
            return
        self.retried_count += retried
        self.dead_letter_count += dead
        (
            wait_sum,
            wait_min,
            wait_max,
            wait_buckets,
            wait_counts,
            run_sum,
            run_min,
            run_max,
            run_buckets,
            run_counts,
            *more,
        ) = rest
        self.wait.add(wait_buckets or (), wait_counts or (), wait_sum, wait_min, wait_max)
        self.run.add(run_buckets or (), run_counts or (), run_sum, run_min, run_max)
        cpu_sum, cpu_max, memory = more
        self.cpu_sum_ms += cpu_sum
        self.cpu_max_ms = _larger(self.cpu_max_ms, cpu_max)
        self.peak_memory_max_kib = _larger(self.peak_memory_max_kib, memory)

    def merge(self, other: Sums) -> None:
        """Add others of the same span."""
        self.counts.update(other.counts)
        self.retried_count += other.retried_count
        self.dead_letter_count += other.dead_letter_count
        for mine, theirs in ((self.wait, other.wait), (self.run, other.run)):
            mine.add(theirs.counts, theirs.counts.values(), theirs.sum_ms, theirs.min_ms, theirs.max_ms)
        self.cpu_sum_ms += other.cpu_sum_ms
        self.cpu_max_ms = _larger(self.cpu_max_ms, other.cpu_max_ms)
        self.peak_memory_max_kib = _larger(self.peak_memory_max_kib, other.peak_memory_max_kib)

    def numbers(self, span_s: float) -> dict[str, Any]:
        """The fields of `Numbers`."""
        attempts = self.counts.total() - self.counts[Outcome.CANCELLED]
        return {
            "counts": dict(sorted(self.counts.items())),
            "attempt_count": attempts,
            "succeeded_count": self.counts[Outcome.SUCCEEDED],
            "retried_count": self.retried_count,
            "failed_count": self.dead_letter_count,
            "per_s": attempts / span_s,
            **_percentiles("wait", self.wait),
            **_percentiles("run", self.run),
            "cpu_sum_ms": self.cpu_sum_ms,
            "cpu_max_ms": self.cpu_max_ms,
            "peak_memory_max_kib": self.peak_memory_max_kib,
        }


def _percentiles(of: str, durations: Histogram) -> dict[str, float | None]:
    percents = (50, 95, 99)
    return {
        **{f"{of}_p{n}_ms": each for n, each in zip(percents, durations.percentiles_ms(percents), strict=True)},
        f"{of}_max_ms": durations.max_ms,
        f"{of}_mean_ms": durations.sum_ms / durations.count if durations.count else None,
    }


def _larger(one: Any, other: Any) -> Any:
    return max((each for each in (one, other) if each is not None), default=None)
