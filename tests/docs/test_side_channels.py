"""Every row of the tenancy's table is shown by tests that exist, or says why it is accepted."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TABLE = (ROOT / "youtility_tasks/tenancy/README.md").read_text()
ROWS = re.findall(r"^\|([^|]+)\|([^|]*)\|([^|]*)\|$", TABLE, re.M)[2:]
TESTS = "\n".join(
    path.read_text() for room in ("tenancy", "unit", "operations") for path in (ROOT / "tests" / room).rglob("*.py")
)


def test_a_channel_is_closed_or_accepted() -> None:
    assert len(ROWS) >= 18
    assert [channel for channel, closed, accepted in ROWS if not closed.strip() and not accepted.strip()] == []


def test_what_shows_it_exists() -> None:
    for _, closed, _ in ROWS:
        shown = closed.partition(":")[2]
        for name in re.findall(r"`(\w+)`", shown):
            assert f"def {name}(" in TESTS, name
        for name in re.findall(r"`(test_\w+\.py)`", closed):
            assert (ROOT / "tests/tenancy" / name).is_file(), name
        for name in re.findall(r'mutant "([^"]+)"', closed):
            assert f'"{name}"' in TESTS, name
