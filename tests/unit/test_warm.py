"""What tests start by a fork is what a new interpreter would be: compared with one, and told by how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests import warm

TELLS = """
import json, os, sys
where = {
    "argv": sys.argv[1:], "name": __name__, "first": sys.path[0], "folder": os.getcwd(), "mine": os.environ.get("MINE"),
    "left": os.environ.get("LEFT_OUT"), "is_leader": os.getsid(0) == os.getpid(), "open": sorted(map(int, os.listdir("/proc/self/fd")))[:4],
    "ours": sorted(each for each in sys.modules if each.partition(".")[0] in ("youtility_tasks", "task_catalog", "tests")),
    "typed": sys.stdin.read(), "flags": list(sys.flags),
}
json.dump(where, sys.stdout)
print("complains", file=sys.stderr)
if "leaves" in sys.argv:
    sys.exit(3)
if "breaks" in sys.argv:
    raise ValueError("so")
"""
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "tells.py").write_text(TELLS)
    (tmp_path / "waits.py").write_text("import time\nprint('here', flush=True)\ntime.sleep(60)\n")
    return tmp_path


def told(run: Run, folder: Path, *words: str, **how: Any) -> tuple[int, Any, str]:
    env = {**{key: value for key, value in os.environ.items() if key != "LEFT_OUT"}, "MINE": "x\udcff"}
    done = run(
        [sys.executable, "-m", "tells", *words],
        cwd=folder,
        env=env,
        input="typed",
        capture_output=True,
        text=True,
        **how,
    )
    return done.returncode, json.loads(done.stdout), done.stderr.splitlines()[-1]


@pytest.mark.parametrize("words", [(), ("leaves",), ("breaks",)])
@pytest.mark.parametrize("how", [{}, {"start_new_session": True}])
def test_it_is_what_a_new_interpreter_is(folder, monkeypatch, words, how):
    monkeypatch.setenv("LEFT_OUT", "1")

    forked = told(warm.run, folder, "a", "ü", *words, **how)

    assert forked == told(subprocess.run, folder, "a", "ü", *words, **how)
    assert forked[0] == {"leaves": 3, "breaks": 1}.get("".join(words), 0)
    assert forked[1]["ours"] == [] and forked[1]["is_leader"] == bool(how)


def test_it_is_forked_and_another_interpreter_is_not(folder):
    """By their mothers: a process that wishes what a fork cannot have is this one's own child."""
    ways: list[tuple[dict[str, Any], bool]] = [
        ({}, True),
        ({"env": {**os.environ, "PYTHONUTF8": "1"}}, False),
        ({"preexec_fn": os.getpid}, False),
        ({"pass_fds": [0]}, False),
    ]
    for how, is_forked in ways:
        with warm.Popen([sys.executable, "-m", "waits"], cwd=folder, stdout=subprocess.PIPE, **how) as process:
            assert process.stdout.readline() == b"here\n"
            assert (psutil.Process(process.pid).ppid() != os.getpid()) == is_forked, how
            assert psutil.Process(process.pid).cmdline()[1:3] == ["-m", "waits"]
            process.kill()


def test_its_end_is_told_whoever_waits_for_it_and_however(folder):
    with warm.Popen([sys.executable, "-m", "waits"], cwd=folder, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"here\n"
        assert process.poll() is None
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.01)

        process.send_signal(signal.SIGTERM)

        assert process.wait(10) == process.poll() == -signal.SIGTERM
    with pytest.raises(subprocess.TimeoutExpired):
        warm.run([sys.executable, "-m", "waits"], cwd=folder, timeout=0.3, capture_output=True)
    with pytest.raises(subprocess.CalledProcessError):
        warm.run(
            [sys.executable, "-m", "tells", "leaves"],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
        )
