"""Every query asks for what the exporter gives: by its names, and on a real Prometheus by its data."""

from __future__ import annotations

import json
import math
import socket
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.crew import until
from tests.conftest import require_program
from tests.grafana.made import GRAFANA, HEARTBEAT, alerts, queries, rules, used
from tests.integration.attempts import ended
from tests.integration.desk import execute
from tests.integration.scraping import get, some_of_everything, values
from youtility_tasks.models import Tenant
from youtility_tasks.upkeep import rollup

RECORDED = {each["record"] for each in rules() if "record" in each}


@pytest.fixture
def busy_exporter(exporter: str, add_task: Any) -> str:
    Tenant.objects.create(id=7, name="Acme")
    some_of_everything()
    ended(2, task_name="rests")
    rollup.fold()
    execute("VACUUM procrastinate_jobs")
    return exporter


def test_queries_name_only_metrics_and_labels_that_the_exporter_gives(busy_exporter: str) -> None:
    given: dict[str, set[str]] = defaultdict(set)
    for name, labels in values(get(f"http://{busy_exporter}/metrics")):
        given[name] |= {key for key, _ in labels}
    given |= {name: {"queue", "promise"} for name in RECORDED}

    wrong = [
        (where, metric, sorted(labels - given.get(metric, set())))
        for where, expression in queries()
        for metric, labels in used(expression)
        if metric not in given or not labels <= given[metric]
    ]

    assert wrong == []
    assert len(queries()) > 60


@pytest.fixture
def prometheus(busy_exporter: str, tmp_path: Path) -> Iterator[str]:
    """Its address: it scrapes that exporter and evaluates the rules each second."""
    program = require_program("prometheus", package="prometheus")
    quick = (GRAFANA / "rules" / "youtility_tasks.yml").read_text().replace("interval: 30s", "interval: 1s")
    (tmp_path / "rules.yml").write_text(quick)
    told = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": ["rules.yml"],
        "scrape_configs": [{"job_name": "tasks", "static_configs": [{"targets": [busy_exporter]}]}],
    }
    (tmp_path / "prometheus.yml").write_text(json.dumps(told))
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    words = [f"--config.file={tmp_path / 'prometheus.yml'}", f"--storage.tsdb.path={tmp_path / 'data'}", f"--web.listen-address={address}"]  # fmt: skip
    with (tmp_path / "log").open("w") as log, subprocess.Popen([program, *words], stdout=log, stderr=log) as process:
        try:
            yield f"http://{address}"
        finally:
            process.terminate()
            process.wait(20)


def ask(prometheus: str, path: str, **words: str) -> Any:
    try:
        return json.loads(get(f"{prometheus}/api/v1/{path}?{urllib.parse.urlencode(words)}"))["data"]
    except (urllib.error.URLError, ConnectionError):
        return None


def has_data(prometheus: str, expression: str) -> bool:
    found = ask(prometheus, "query", query=expression)
    return bool(found) and any(not math.isnan(float(each["value"][1])) for each in found["result"])


def test_a_real_prometheus_answers_every_panel_and_both_sides_of_every_rule(prometheus: str) -> None:
    sides = {expression for where, expression in queries() if ":" in where}
    for rule in alerts():
        sides |= {f"count({metric})" for metric, _ in used(rule["expr"]) if HEARTBEAT not in rule["expr"]}

    missing = sorted(sides)

    def all_have_data() -> bool:
        ended(3, wait_ms=3, run_ms=1_500)
        rollup.fold()
        missing[:] = [each for each in missing if not has_data(prometheus, each)]
        return not missing

    until(all_have_data, within_s=60, why=f"no data of {missing}")
    assert ask(prometheus, "targets")["activeTargets"][0]["health"] == "up"
    bad = [each for group in ask(prometheus, "rules")["groups"] for each in group["rules"] if each["health"] == "err"]
    assert bad == []
    no_numbers = [
        expression
        for where, expression in queries()
        if ":" in where and any(math.isnan(float(each["value"][1])) for each in ask(prometheus, "query", query=expression)["result"])
    ]  # fmt: skip
    assert no_numbers == []
    of_tasks = next(each for where, each in queries() if where == "task: Waits")
    assert "NaN" in json.dumps(ask(prometheus, "query", query=of_tasks.removesuffix(" >= 0"))), "a task that rests"
    # The test sees a name that is not there, which no check of the syntax does.
    assert not has_data(prometheus, "youtility_queue_job")
