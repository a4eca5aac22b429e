"""Statistics, charts and pages made from figures alone, and the clocks of processes."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from youtility_tasks.bench import environments, meter, page, result, run, table
from youtility_tasks.bench.charts import Bar, bar_chart
from youtility_tasks.bench.errors import PeerAbsent, UnknownPeer
from youtility_tasks.bench.spread import percentiles, ratios, spread
from youtility_tasks.bench.systems import OURS, SYSTEMS

ABOUT = {
    "measured_at": "2026-11-25T12:00:00+00:00",
    "versions": {
        "python": "3.11",
        "postgres": "18.6",
        "cpu": "Paper x 2",
        "ours": {"us": "1"},
        "pgqueuer": {"it": "2"},
    },
    "load_before": 0.5,
    "durability": {"fsync": "on", "synchronous_commit": "on"},
    "sizes": {"rounds": 2},
    "systems": {"ours": {"title": "youtility-tasks", "note": "n"}, "pgqueuer": {"title": "pgqueuer", "note": "m"}},
}


@pytest.fixture
def document() -> dict[str, Any]:
    """Two rounds in which we were twice and four times as fast."""
    figures = {
        "ours": {
            "drain_jobs_per_s": [200.0, 400.0],
            "pickup_ms": [{"p50": 1.0, "p95": 1.5, "p99": 2.0}, {"p50": 3.0, "p95": 3.5, "p99": 4.0}],
        },
        "pgqueuer": {
            "drain_jobs_per_s": [100.0, 100.0],
            "pickup_ms": [{"p50": 2.0, "p99": 2.0}, {"p50": 2.0, "p99": 2.0}],
        },
    }
    return result.document(figures, ABOUT)


def test_a_spread_is_the_median_and_the_ends():
    assert spread([3.0, 1.0, 2.0]) == {"median": 2.0, "min": 1.0, "max": 3.0}


def test_percentiles_are_values_that_were_measured():
    assert percentiles(range(1, 101)) == {"p50": 50.0, "p95": 95.0, "p99": 99.0}
    assert percentiles([7.0]) == {"p50": 7.0, "p95": 7.0, "p99": 7.0}


def test_ratios_are_taken_round_by_round():
    assert ratios([10.0, 40.0], [5.0, 10.0]) == {"median": 3.0, "min": 2.0, "max": 4.0}
    assert ratios([1.0], [0.0]) == {}


def test_a_result_has_the_spread_of_each_system_and_the_ratios(document):
    assert document["drain_jobs_per_s"]["ours"] == {"median": 300.0, "min": 200.0, "max": 400.0}
    assert document["pickup_ms"]["ours"]["p50"] == 2.0
    assert document["pickup_ms"]["ours"]["spread"]["p50"] == {"median": 2.0, "min": 1.0, "max": 3.0}
    assert document["ratios"]["pgqueuer"]["drain_jobs_per_s"] == {"median": 3.0, "min": 2.0, "max": 4.0}
    assert document["ratios"]["pgqueuer"]["pickup_ms.p50"]["median"] == 1.0


def test_cpu_is_the_sum_of_enqueue_and_drain_of_the_same_round():
    figures = {"ours": {"enqueue_cpu_s_per_1000": [0.5, 0.7], "drain_cpu_s_per_1000": [1.0, 2.0]}}

    made = result.document(figures, ABOUT)

    assert made["cpu_s_per_1000"]["ours"] == {"median": 2.1, "min": 1.5, "max": 2.7}


def test_a_chart_is_well_formed_and_shows_each_system_and_its_figure():
    text = bar_chart(
        "A <b>", "jobs & more", [Bar("ours", 1234.0, 1000.0, 1300.0, is_ours=True), Bar("theirs", 2, 2, 2)]
    )

    words = [element.text for element in ElementTree.fromstring(text).iter() if element.text]  # noqa: S314
    assert {"ours", "theirs", "1,234", "2"} <= {word.strip() for word in words}
    assert "<b>" not in text


def test_bars_are_as_long_as_their_figures():
    text = bar_chart("t", "u", [Bar("a", 100, 100, 100), Bar("b", 50, 50, 50)])

    svg = "{http://www.w3.org/2000/svg}rect"
    widths = [float(rect.get("width", "0")) for rect in ElementTree.fromstring(text).iter(svg)][1:]  # noqa: S314
    assert widths[0] == pytest.approx(2 * widths[1], rel=0.01)


def test_a_page_is_made_of_a_stored_result(document, tmp_path: Path):
    stored = tmp_path / "result.json"
    stored.write_text(json.dumps(document), encoding="ascii")

    call_command("bench_task_queue", load=stored, charts=tmp_path / "page", stdout=io.StringIO())

    text = (tmp_path / "page" / "README.md").read_text(encoding="utf-8")
    assert "| drain, 1 worker, jobs/s | 300 (200 to 400) | 100 |" in text
    assert "](drain.svg)" in text and (tmp_path / "page" / "drain.svg").is_file()
    assert "cpu.svg" not in text  # it was not measured


def test_the_page_in_the_package_is_made_of_its_stored_result():
    folder = Path(page.__file__).parent / "page"
    stored = json.loads((folder / "result.json").read_text(encoding="ascii"))

    assert (folder / "README.md").read_text(encoding="utf-8") == page.text_of(stored)
    for name, text in page.charts(stored).items():
        assert (folder / f"{name}.svg").read_text(encoding="utf-8") == text


def test_what_was_not_measured_is_no_row(document):
    assert [label for label, _ in table.cells(document)] == [
        "drain, 1 worker, jobs/s",
        "pickup, p50 ms",
        "pickup, p95 ms",
        "pickup, p99 ms",
    ]


def test_a_peer_that_nobody_knows_is_refused_by_name():
    with pytest.raises(CommandError, match=r"'sidekiq'; known: celery, pgqueuer, procrastinate"):
        call_command("bench_task_queue", against=["sidekiq"])
    with pytest.raises(UnknownPeer):
        run.known_peers([OURS])


def test_a_measure_that_nobody_knows_is_refused_by_name():
    with pytest.raises(CommandError, match="'beauty'; known"):
        call_command("bench_task_queue", only=["beauty"])


def test_redis_that_is_absent_is_named(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")

    with pytest.raises(PeerAbsent, match="apt-get install redis-server"):
        environments.redis_program()


def test_every_version_of_a_peer_is_pinned():
    pins = [pin for system in SYSTEMS.values() for pin in system.pins]

    assert pins and all("==" in pin for pin in pins)


def test_the_meter_sees_this_process_and_what_it_used():
    before = meter.cpu_s([os.getpid()])
    while meter.cpu_s([os.getpid()]) - before < 0.02:
        sum(range(10_000))

    assert meter.tree(os.getpid())[0] == os.getpid()
    assert meter.pss_mib(os.getpid())[os.getpid()] > 1


def test_a_few_milliseconds_of_computing_are_counted():
    before, until = meter.own_s(os.getpid()), time.process_time() + 0.004
    while time.process_time() < until:
        continue

    assert 0.004 <= meter.own_s(os.getpid()) - before < 0.1


def test_what_is_gone_has_computed_nothing():
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()

    assert (meter.own_s(gone.pid), meter.reaped_s(gone.pid)) == (0, 0)
