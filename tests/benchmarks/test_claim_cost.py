"""A short form of the measurement of claims: each case is there and plausible; never how fast."""

from __future__ import annotations

from typing import Any

from tests.benchmarks import claim_cost


def test_every_case_is_measured_and_the_plainest_is_its_own_measure(fresh_database: Any) -> None:
    found = claim_cost.measure(fresh_database.url, rounds=2, claims=5, n=20, waiting=500)

    assert len(found) == len(claim_cost.CASES)
    assert found["1 tenants, 0 limits"]["ratio"] == 1
    assert all(each["claim_ms"] > 0 and each["ratio"] > 0 for each in found.values())
