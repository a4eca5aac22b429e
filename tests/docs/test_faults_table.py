"""The table of faults names tests that exist, and leaves no fault out."""

from __future__ import annotations

import re
from pathlib import Path

from youtility_tasks import failpoints
from youtility_tasks.verify import nemesis, shapes

ROOT = Path(__file__).resolve().parents[2]
ROWS = re.findall(
    r"^\| ([A-I]\d+) \| [^|]+ \| ([^|]+) \| ([^|]+) \|$", (ROOT / "tests/faults/README.md").read_text(), re.M
)
FAULTS = [
    *(f"A{n}" for n in range(1, 21)),
    *(f"B{n}" for n in range(21, 39)),
    *(f"C{n}" for n in range(40, 48)),
    *(f"D{n}" for n in range(49, 58)),
    *(f"E{n}" for n in range(58, 67)),
    *(f"F{n}" for n in (*range(67, 75), 76, 79)),
    *(f"G{n}" for n in (80, 81, 83, 84)),
    *(f"H{n}" for n in (88, 89, 90, 92, 94, 95, 96, 97, 98, 103, 111, 112)),
    *(f"I{n}" for n in range(116, 119)),
]


def test_every_fault_has_its_row() -> None:
    assert [number for number, _, _ in ROWS] == FAULTS


def test_every_test_of_the_table_exists() -> None:
    for path, name in re.findall(r"`(tests/[^`]+)::(\w+)`", " ".join(tests for _, tests, _ in ROWS)):
        assert f"def {name}(" in (ROOT / path).read_text(), f"{path} has no {name}"


def test_every_part_of_verify_exists() -> None:
    known = {*nemesis.FAULTS, *failpoints.POINTS, *shapes.SHAPES, "interleavings"}

    assert set(re.findall(r"`verify: (\w+)`", " ".join(tests for _, tests, _ in ROWS))) <= known


def test_a_fault_that_nothing_injects_has_a_reason() -> None:
    for number, tests, bound in ROWS:
        assert re.search(r"`(tests/\S+::|verify: )\w+`", tests) or bound.startswith("not injected"), number
