"""The figures of a run as one JSON document: by measure, then by system, with the spread over the rounds."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from typing import Any

from .spread import ratios, spread
from .systems import OURS

Figures = Mapping[str, list[Any]]


def document(figures: Mapping[str, Figures], about: Mapping[str, Any]) -> dict[str, Any]:
    """`{"drain_jobs_per_s": {"ours": {"median", "min", "max"}, ...}, ..., "ratios": {...}, "versions": {...}}`.

    A ratio is ours divided by the peer's in the same round.
    """
    with_sums = {system: {**measured, **_cpu(measured)} for system, measured in figures.items()}
    names = list(dict.fromkeys(name for measured in with_sums.values() for name in measured))
    return {
        **{
            name: {system: _together(measured[name]) for system, measured in with_sums.items() if name in measured}
            for name in names
        },
        "ratios": _ratios(with_sums),
        **about,
    }


def _cpu(measured: Figures) -> dict[str, list[Any]]:
    """CPU of a thousand jobs from the enqueue of each to the end of each, where both were measured."""
    both = zip(measured.get("enqueue_cpu_s_per_1000", ()), measured.get("drain_cpu_s_per_1000", ()), strict=False)
    sums = [enqueue + drain for enqueue, drain in both]
    return {"cpu_s_per_1000": sums} if sums else {}


def _together(rounds: list[Any]) -> dict[str, Any]:
    """Rounds of one figure as its spread; of several figures as the median of each, with the spread of each beside."""
    if not isinstance(rounds[0], dict):
        return spread(rounds)
    medians = {key: float(f"{statistics.median(each[key] for each in rounds):.4g}") for key in rounds[0]}
    return {**medians, "spread": {key: spread([each[key] for each in rounds]) for key in rounds[0]}}


def _ratios(figures: Mapping[str, Figures]) -> dict[str, dict[str, Any]]:
    ours = figures[OURS]
    return {
        peer: {
            name: ratios(ours[name], rounds)
            for name, rounds in theirs.items()
            if name in ours and not isinstance(rounds[0], dict)
        }
        | {
            f"{name}.{key}": ratios([each[key] for each in ours[name]], [each[key] for each in rounds])
            for name, rounds in theirs.items()
            if name in ours and isinstance(rounds[0], dict)
            for key in rounds[0]
        }
        for peer, theirs in figures.items()
        if peer != OURS
    }
