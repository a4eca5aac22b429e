"""The proof is tested too: bugs that are planted in a real run turn it red. Three in one run, each its own check; the fourth in another."""

from __future__ import annotations

import os

import pytest

from tests.conftest import require_program
from youtility_tasks.verify.bridge import planted, run, verdict

pytestmark = pytest.mark.skipif(
    not os.environ.get("ALL_MOVES"),
    reason="two whole runs, minutes: ALL_MOVES=1 plays them (`make moves`); test_verdict.py judges the same wrongs",
)
TURNS_RED = {
    f"{planted.NO_LEDGER};{planted.MOVE_COPIES};{planted.BEAT_FIRES_ON}": {
        "double effects",
        "run on both sides",
        "ticks fired twice",
    },
    planted.MOVE_LOSES: {"lost"},
}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("bugs", TURNS_RED)
def test_a_planted_bug_turns_the_proof_red(bugs: str, databases: tuple[str, str]) -> None:
    require_program("redis-server", package="redis-server")

    evidence = run.play(run.Script(seed=2, planted=bugs), *databases)

    assert {each.name for each in verdict.check(evidence) if not each.ok} >= TURNS_RED[bugs]
