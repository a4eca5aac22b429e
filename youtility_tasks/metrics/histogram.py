"""Durations in buckets that can be added up, and the percentiles of what is in them. No database, no Django.

Bucket i holds what is above 2^((i-1)/8) ms and at most 2^(i/8) ms. Each is 9 % wide, so that its middle is within 4.4 % of whatever
it holds; the statement that counts durations (`youtility_tasks_bucket_v1`) and this file must agree on it.
"""

from __future__ import annotations

import bisect
import itertools
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

PER_OCTAVE = 8
LOWEST, HIGHEST = -56, 320
"""What is shorter than 0.0078 ms is in the lowest, what is longer than 33 years in the highest."""
_ACROSS = 2 ** (1 / PER_OCTAVE)


def upper_ms(bucket: int) -> float:
    """The longest duration that a bucket holds."""
    return float(2.0 ** (bucket / PER_OCTAVE))


def middle_ms(bucket: int) -> float:
    """The duration from which no other in the bucket differs by more than 4.4 %."""
    return upper_ms(bucket) * 2 / (_ACROSS + 1)


@dataclass(slots=True)
class Histogram:
    """Durations in ms, with the exact shortest, longest and sum."""

    counts: Counter[int] = field(default_factory=Counter)
    sum_ms: float = 0.0
    min_ms: float | None = None
    max_ms: float | None = None

    @property
    def count(self) -> int:
        """How many durations."""
        return self.counts.total()

    def add(
        self, buckets: Iterable[int], counts: Iterable[int], sum_ms: float, min_ms: float | None, max_ms: float | None
    ) -> None:
        """Add another histogram."""
        for bucket, count in zip(buckets, counts, strict=True):
            self.counts[bucket] += count
        self.sum_ms += sum_ms
        self.min_ms = min((each for each in (self.min_ms, min_ms) if each is not None), default=None)
        self.max_ms = max((each for each in (self.max_ms, max_ms) if each is not None), default=None)

    def percentile_ms(self, percent: float) -> float | None:
        """The shortest duration that at least so many percent of all do not exceed (the nearest rank), within 4.4 %, or within 0.008 ms
        where that is more; None of nothing."""
        return self.percentiles_ms((percent,))[0]

    def percentiles_ms(self, percents: Iterable[float]) -> list[float | None]:
        """As `percentile_ms`, each of these."""
        total = self.count
        if not total or self.min_ms is None or self.max_ms is None:
            return [None for _ in percents]
        in_order = sorted(self.counts.items())
        upto = list(itertools.accumulate(count for _, count in in_order))
        found: list[float | None] = []
        for percent in percents:
            # As whole numbers: 0.95 * 20 is above 19 as a float.
            rank = max(1, -(-total * round(percent * 1_000) // 100_000))
            middle = middle_ms(in_order[bisect.bisect_left(upto, rank)][0])
            found.append(self.max_ms if rank == total else min(max(middle, self.min_ms), self.max_ms))
        return found

    def running(self, buckets: Iterable[int]) -> list[int]:
        """For each of these buckets, in rising order: how many durations are at most the longest that it holds."""
        left = sorted(self.counts.items(), reverse=True)
        found, seen = [], 0
        for bucket in buckets:
            while left and left[-1][0] <= bucket:
                seen += left.pop()[1]
            found.append(seen)
        return found
