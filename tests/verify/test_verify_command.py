"""`verify_task_queue` as a person or a program calls it."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from django.core.management import CommandError, call_command

from tests.acceptance.crew import until
from tests.verify.story import Story

LETTERS = {"L no loss", "T one end", "F fenced", "E effects", "X exclusion", "S schedule", "N tenants", "B bounded"}


@pytest.mark.timeout(240)
def test_the_short_tier_holds_and_says_so_as_json(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "youtility_tasks.standalone", "verify_task_queue", "--json", "--seed", "11"]
    env = {**os.environ, "YOUTILITY_HOME": str(tmp_path / "home")}
    env.pop("DATABASE_URL", None)

    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)

    assert done.returncode == 0, done.stdout + done.stderr
    document = json.loads(done.stdout)
    assert (document["ok"], document["seed"], document["tier"]) == (True, 11, "short")
    assert all({"name", "expected", "got", "ok"} <= set(each) and each["ok"] for each in document["checks"])
    names = {each["name"] for each in document["checks"]}
    assert {f"short: {letter}" for letter in LETTERS} < names
    assert {"a zombie finishes: model", "overlapping statements"} < names
    assert "seed 11" in done.stderr
    assert not (tmp_path / "home" / "data").exists(), "the project's own server is left alone"


def test_a_run_that_is_terminated_leaves_no_process_behind(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "youtility_tasks.standalone", "verify_task_queue", "--tier", "faults"]
    env = {**os.environ, "YOUTILITY_HOME": str(tmp_path / "home")}
    env.pop("DATABASE_URL", None)
    run = subprocess.Popen(command, cwd=tmp_path, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    family = psutil.Process(run.pid)

    def workers() -> list[psutil.Process]:
        with contextlib.suppress(psutil.NoSuchProcess):
            return [p for p in family.children(recursive=True) if "run_postgresql_worker" in " ".join(p.cmdline())]
        return []

    try:
        until(workers, within_s=60, why="workers are started")
        started = family.children(recursive=True)
    finally:
        run.terminate()

    assert run.wait(60) == 143
    _, left = psutil.wait_procs(started, timeout=10)
    assert left == []


def judge(evidence: Path, *arguments: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command("verify_task_queue", "--judge", str(evidence), *arguments, stdout=out, stderr=err)
    except SystemExit as left:
        return int(str(left.code)), out.getvalue(), err.getvalue()
    return 0, out.getvalue(), err.getvalue()


def test_kept_evidence_is_judged_again_with_the_life_of_each_key(tmp_path: Path) -> None:
    story = Story().well("brief-9", 9)
    story.enqueued("instant-1", 1)
    story.evidence().save(tmp_path / "kept.json")

    code, out, err = judge(tmp_path / "kept.json")

    assert code == 1
    assert "BROKEN judged: L no loss" in out
    assert "instant-1: accepted, and neither in the queue nor in the history" in out
    assert "the life of instant-1:" in err
    assert "ack job=1" in err


def test_a_broken_invariant_is_in_the_json_too(tmp_path: Path) -> None:
    story = Story()
    story.enqueued("instant-1", 1)
    story.evidence().save(tmp_path / "kept.json")

    code, out, _ = judge(tmp_path / "kept.json", "--json")

    document = json.loads(out)
    assert (code, document["ok"]) == (1, False)
    (broken,) = [each for each in document["checks"] if not each["ok"]]
    assert broken["violations"] == [
        {"key": "instant-1", "what": "accepted, and neither in the queue nor in the history"}
    ]


def test_evidence_without_a_fault_is_judged_well(tmp_path: Path) -> None:
    Story().well().evidence().save(tmp_path / "kept.json")

    code, out, _ = judge(tmp_path / "kept.json")

    assert code == 0
    assert "All invariants hold" in out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--tier", "no such"], "invalid choice"),
        (["--seed", "x"], "is no seed; right is"),
        (["--minutes", "-1"], "'-1' is not a number above 0"),
        (["--minutes", "nan"], "'nan' is not a number above 0"),
        (["--judge", "/nowhere/kept.json"], "The evidence cannot be read: .*No such file"),
        (["--judge", "README.md"], "'README.md' holds no evidence .*; right is a file that a failed run has named"),
    ],
)
def test_bad_usage_is_told_with_what_would_be_right(arguments: list[str], told: str) -> None:
    with pytest.raises(CommandError, match=told):
        call_command("verify_task_queue", *arguments)
