"""procrastinate's own tests pass on our schema, with its worker and with ours.

They are not ours to keep, nor to wait for: `make upstream` fetches and runs them. Here they run if their source is at hand.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.upstream.plugin import by_design

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.skipif(
    "PROCRASTINATE_SOURCE" not in os.environ, reason="PROCRASTINATE_SOURCE names no source: `make upstream`"
)
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("worker", ["stock", "ours"])
def test_procrastinates_own_tests_pass_on_our_schema(worker: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.upstream.run", worker], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout[-10_000:] + done.stderr[-2_000:]


def test_every_test_that_is_left_out_says_why() -> None:
    assert all(test and reason.endswith(".") for test, reason in by_design().items())
