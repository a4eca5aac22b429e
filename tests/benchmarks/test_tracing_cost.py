"""A short form of the measurement of spans: each case is there; never how much."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any


def test_each_case_is_measured_with_and_without(fresh_database: Any) -> None:
    command = [sys.executable, "-m", "tests.benchmarks.tracing_cost", "--rounds", "2", "--calls", "20"]
    said = subprocess.run(command, env=fresh_database.env, capture_output=True, text=True, check=True)

    found = json.loads(said.stdout)
    assert set(found) == {"one_by_one", "together", "attempts"}
    assert all("without" in each and "with:" in each for each in found.values())
