"""Figures of several rounds as one: median, least, most; and the ratio of two of them."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

Spread = dict[str, float]


def spread(values: Sequence[float]) -> Spread:
    """The median of the rounds, and how far they lie apart."""
    return {
        "median": _rounded(statistics.median(values)),
        "min": _rounded(min(values)),
        "max": _rounded(max(values)),
    }


def percentiles(values: Sequence[float], wanted: Sequence[int] = (50, 95, 99)) -> Spread:
    """`{"p50": ..., "p95": ...}` by the nearest rank: each is a value that was measured."""
    ordered = sorted(values)
    return {f"p{p}": _rounded(ordered[max(0, math.ceil(p / 100 * len(ordered)) - 1)]) for p in wanted}


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> Spread:
    """Ours divided by theirs, round by round: both of one round met the same machine. Empty if theirs were all too small to see."""
    found = [a / b for a, b in zip(ours, theirs, strict=False) if b]
    return spread(found) if found else {}


def _rounded(value: float) -> float:
    """Four digits; nothing that was measured here is known better."""
    return float(f"{value:.4g}")
