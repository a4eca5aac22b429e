"""What a tier says of a run: a fault that missed, and evidence that is worth keeping."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.verify.story import Story
from youtility_tasks.verify import tiers
from youtility_tasks.verify.entries import Evidence, Kind
from youtility_tasks.verify.ground import Ground
from youtility_tasks.verify.run import Script

Judge = Callable[[Story, Script], tuple[list[str], str]]

ALONE = Script(name="kill_child", seed=5, faults=[(0.5, "kill_child")])
AMONG_OTHERS = Script(name="soak", seed=5, faults=[(0.5, "kill_child"), (1.0, "cut_claims")])


def injured(hits: int) -> Story:
    story = Story().well()
    story.tell(Kind.NEMESIS, fault="a fault", pids=[100], hits=hits, **{"from": 0, "to": 10})
    return story


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Judge:
    """Judges a story as if a script had been played, in an empty folder; (names of broken checks, what was told)."""
    monkeypatch.chdir(tmp_path)

    def judge(story: Story, script: Script) -> tuple[list[str], str]:
        told: list[str] = []
        monkeypatch.setattr(tiers, "play", lambda _, __: story.evidence())
        checks = tiers._played(Ground(tmp_path), script, told.append)
        return [each.name for each in checks if not each.ok], "\n".join(told)

    return judge


def test_a_single_fault_that_hit_nothing_has_tested_nothing(played: Judge) -> None:
    assert played(injured(hits=0), ALONE)[0] == ["kill_child: I injured"]
    assert played(injured(hits=1), ALONE)[0] == []


def test_one_of_many_faults_may_find_nothing_to_hit(played: Judge) -> None:
    assert played(injured(hits=0), AMONG_OTHERS)[0] == []


def test_the_evidence_of_a_broken_run_is_kept_under_its_seed(played: Judge, tmp_path: Path) -> None:
    story = injured(hits=1)
    story.enqueued("instant-2", 2)

    broken, told = played(story, ALONE)

    assert broken == ["kill_child: L no loss"]
    assert "the life of instant-2:" in told
    kept = tmp_path / "verify-kill_child-5.json"
    assert str(kept) in told
    assert Evidence.load(kept).ledger == story.evidence().ledger
