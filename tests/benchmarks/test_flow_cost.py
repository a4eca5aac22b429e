"""A short form of the measurement of workflows: each figure is there and plausible; never how fast."""

from __future__ import annotations

from typing import Any

from tests.benchmarks import flow_cost


def test_a_plain_job_and_each_size_of_a_fan_out_are_measured(fresh_database: Any) -> None:
    found = flow_cost.measure(fresh_database.url, rounds=2, pumps=30, n=20, sizes=(50, 200))

    assert found["plain_job"].keys() >= {"cpu_us_a_job", "cpu_us_a_job_without", "ratio"}
    assert set(found["fan_out"]) == {"50", "200"}
    assert all(each["drain_us_a_step"] > 0 for each in found["fan_out"].values())
