"""The benchmark of the numbers in its short form: that it runs, and that what is asked for does not grow with what is stored."""

from __future__ import annotations

from typing import Any

from tests.benchmarks import metrics_volume, volume


def test_it_measures_what_it_says(fresh_database: Any) -> None:
    here = "tests.benchmarks.metrics_volume"
    assert here == metrics_volume._HERE

    filled = volume.measure(fresh_database.url, here, "--fill", "2000", "2")
    asked = volume.measure(fresh_database.url, here, "--measure", "1")

    assert filled.said["rows"] == 2_000 and filled.said["folded_per_s"] > 0
    assert asked.said["fold_of_1000"] > 0 and asked.said["scrape"] > 0
    assert 0 < asked.said["percentiles_off"] <= 0.05
    assert asked.said["scrape_bytes"] > 100_000, "each of 32 tasks has its two histograms"
    assert set(asked.said["rows"]) == {"60", "3600"}
