"""A report's memory does not grow with its rows; never how fast."""

from __future__ import annotations

import pytest

from tests.benchmarks import report_memory
from tests.benchmarks.report_memory import measure


@pytest.mark.parametrize("format", report_memory.FORMATS)
def test_ten_times_the_rows_need_the_same_memory(format):
    few, many = measure(format, 3_000), measure(format, 30_000)

    assert many["file_mb"] > 5 * few["file_mb"]
    assert many["peak_mb"] < 1.12 * few["peak_mb"]
    assert many["peak_mb"] < report_memory.BOUND_MB
