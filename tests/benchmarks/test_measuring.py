"""A short form of the command with real processes: what it measures is there and plausible; never how fast."""

from __future__ import annotations

import io
import json
import math
import shutil
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from youtility_tasks.bench import environments
from youtility_tasks.bench.systems import System

FEW = ["--quick", "--json", "--single=20", "--bulk=30", "--drain=60", "--pickup=5", "--idle-s=3", "--rounds=1"]


def bench(*words: str) -> Any:
    out = io.StringIO()
    call_command("bench_task_queue", *FEW, *words, stdout=out, stderr=io.StringIO())
    return json.loads(out.getvalue())


def is_sane(figure: dict[str, float]) -> bool:
    return 0 < figure["min"] <= figure["median"] <= figure["max"] < math.inf


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--against="], "names nothing"),
        (["--only", ","], "names nothing"),
        (["--only", "nonsense"], "Nothing that is measured is called 'nonsense'; known: bulk, "),
        (["--against", "nonsense"], "No peer is called 'nonsense'; known: celery, pgqueuer, procrastinate."),
        (["--drain", "-1"], "'-1' is not a whole number from 1"),
        (["--idle-s", "nan"], "'nan' is not a number above 0"),
        (["--threads", "many"], "'many' is not a whole number from 1 to 256"),
        (["--save", "/nowhere/result.json"], "right is one in a folder that exists"),
        (["--charts", "README.md"], "'README.md' is no folder"),
        (["--load", "README.md"], "'README.md' is no JSON document"),
        (["--load", "/nowhere/result.json"], "No such file"),
    ],
)
def test_bad_usage_is_told_before_anything_is_measured(words, told):
    with pytest.raises(CommandError, match=told):
        bench(*words)


@pytest.mark.timeout(300)
def test_everything_is_measured_of_us_and_keeps_the_contract():
    document = bench(
        "--only=all",
        "--deep-waiting=3500",
        "--deep-future=50",
        "--deep-locked=40",
        "--deep-locks=40",
        "--deep-finished=60",
        "--deep-jobs=2000",
    )

    for name in (
        "drain_jobs_per_s",
        "enqueue_per_s",
        "enqueue_in_transaction_per_s",
        "bulk_per_s",
        "startup_s",
        "cpu_s_per_1000",
    ):
        assert is_sane(document[name]["ours"]), name
    assert 0 < document["pickup_ms"]["ours"]["p50"] <= document["pickup_ms"]["ours"]["p99"]
    assert document["memory_mib"]["ours"]["processes"] >= 3  # supervisor, worker, a child
    assert 0 < document["idle"]["ours"]["statements_per_s"] < 100
    assert set(document["deep"]) == {"empty", "waiting", "future", "locked", "locks", "finished"}
    assert all(each["jobs_per_s"] > 0 for each in document["deep"].values())
    assert document["durability"] == {"fsync": "on", "synchronous_commit": "on"}
    assert {"python", "postgres", "cpu", "ours"} <= set(document["versions"])


@pytest.mark.timeout(300)
def test_stock_procrastinate_does_the_same_work_beside_us(monkeypatch):
    def installed_here(system: System) -> Path:
        return Path(sys.executable)

    monkeypatch.setattr(environments, "python_of", installed_here)

    document = bench("--only=enqueue,bulk,drain,pickup", "--against=procrastinate")

    assert is_sane(document["drain_jobs_per_s"]["procrastinate"])
    assert is_sane(document["ratios"]["procrastinate"]["drain_jobs_per_s"])
    assert document["versions"]["procrastinate"]["procrastinate"] == version("procrastinate")


@pytest.mark.skipif(shutil.which("redis-server") is None, reason="redis-server is not installed")
def test_redis_is_started_on_this_machine_alone_and_stopped(tmp_path: Path):
    with environments.redis(tmp_path) as (url, pid):
        assert url.startswith("redis://127.0.0.1:")
        assert Path(f"/proc/{pid}").exists()

    assert not Path(f"/proc/{pid}").exists()
