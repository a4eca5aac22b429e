"""Failpoints: silent unless armed, refused when misspelt, and once when once is asked for."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from youtility_tasks import failpoints

PROGRAM = "from youtility_tasks import failpoints as f; f.reach('after_claim'); print('went on')"


def run(armed: str) -> subprocess.CompletedProcess[str]:
    env = {failpoints.VARIABLE: armed} if armed else {}
    return subprocess.run([sys.executable, "-c", PROGRAM], env=env, capture_output=True, text=True)


def test_nothing_happens_at_a_point_that_is_not_armed() -> None:
    assert run("").stdout == run("in_rescue=kill").stdout == "went on\n"


def test_a_process_is_killed_at_its_point() -> None:
    assert run("before_start=raise, after_claim=kill").returncode == -signal.SIGKILL


def test_a_point_raises() -> None:
    assert "FailpointReached: after_claim" in run("after_claim=raise").stderr


def test_a_point_with_a_file_acts_once_for_all_processes(tmp_path: Path) -> None:
    armed = f"after_claim=kill:{tmp_path / 'once'}"

    assert run(armed).returncode == -signal.SIGKILL
    assert run(armed).stdout == "went on\n"


@pytest.mark.parametrize("text", ["after_clam=kill", "after_claim=explode", "after_claim"])
def test_a_misspelt_point_or_action_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"right is one of after_claim, .* one of raise, kill, stop"):
        failpoints.parse(text)
