"""The whole move, played once with a small company."""

from __future__ import annotations

import pytest

from tests.conftest import require_program
from youtility_tasks.verify.bridge import run, verdict

COMPANY = "tests.celery_bridge.proof.company.make"


@pytest.mark.timeout(300)
def test_every_task_is_cut_over_under_load_and_kills_with_no_effect_lost_or_double(
    databases: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    require_program("redis-server", package="redis-server")
    monkeypatch.setenv(
        "YOUTILITY_ROLES", "1"
    )  # as `youtility-tasks celery_bridge verify` is called; the run's server has no such roles

    evidence = run.play(run.Script(seed=1, company=COMPANY), *databases)

    checks = {each.name: each for each in verdict.check(evidence)}
    assert [each.as_json() for each in checks.values() if not each.ok] == []
    assert len(evidence.tasks) == 32
    returned = {each.task for each in verdict.calls_of(evidence) for one in each.runs if one.became == "returned"}
    assert len(returned) >= 20, "tasks did what they do for the company"
