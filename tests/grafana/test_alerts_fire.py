"""Faults, and the alerts that they lead to: by real workers and a real exporter, through a real Prometheus and a real Alertmanager,
to whoever is on call. The rules are those of production, made to go 60 times faster (`make_dashboards --times-faster 60`)."""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import re
import signal
import socket
import sys
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests import warm
from tests.acceptance.crew import QUICK, REPOSITORY, Crew, Queue, until
from tests.conftest import require_program
from tests.grafana.made import GRAFANA
from tests.integration.scraping import get
from tests.otel.mail_server import MailServer

FASTER = 60
SETTINGS = {
    **QUICK,
    "upkeep_interval_s": 0.5,
    "run_schedules": False,
    "objectives": {"high_priority": {"start_within_s": 0.5}, "maintenance": {"start_within_s": 0.5}},
}
CALM_S = 8
"""Eight minutes, at this speed: longer than any page waits (five of a window, two of holding)."""

Told = tuple[str, str, str]
"""Where to, which alert, of what."""


class OnCall:
    """Who is told: a webhook."""

    def __init__(self) -> None:
        self.told: dict[Told, float] = {}
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                for each in body["alerts"]:
                    labels = each["labels"]
                    if each["status"] == "firing":
                        what = labels.get("queue") or labels.get("schedule") or ""
                        outer.told.setdefault((self.path.strip("/"), labels["alertname"], what), time.monotonic())
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None: ...

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()


@contextlib.contextmanager
def traffic(url: str) -> Iterator[None]:
    """Sixteen mails and sixteen calls a second."""
    over, queue = threading.Event(), Queue(url)

    def go_on() -> None:
        n = 0
        while not over.wait(0.25):
            for _ in range(4):
                n += 1
                queue.put("mails", queue="email", tenant_id=7, n=n)
                queue.put("takes", queue="high_priority", seconds=0.001)

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        queue.close()


@dataclass
class Watch:
    """A house that is watched."""

    crew: Crew
    mail: MailServer
    on_call: OnCall
    prometheus: str
    env: dict[str, str]

    def manage(self, *words: str) -> None:
        command = [sys.executable, "-m", "django", "manage_task_queue", *words]
        warm.run(command, cwd=REPOSITORY, env=self.env, check=True, capture_output=True)

    def ask(self, expression: str) -> list[dict[str, Any]]:
        url = f"http://{self.prometheus}/api/v1/query?query={urllib.parse.quote(expression)}"
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5) as answer:
            found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
            return found
        return []


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@contextlib.contextmanager
def running(folder: Path, env: dict[str, str], *words: str) -> Iterator[Path]:
    """A program, and what it says."""
    said = folder / f"{Path(words[0]).name}-{len(list(folder.iterdir()))}"
    with said.open("wb") as log:
        process = warm.Popen(words, cwd=REPOSITORY, env=env, stdout=log, stderr=log)
    try:
        yield said
    finally:
        process.kill()
        process.wait(20)


def rules(folder: Path, env: dict[str, str]) -> None:
    command = [sys.executable, "-m", "django", "make_dashboards", "--to", str(folder), "--times-faster", str(FASTER)]
    warm.run(command, cwd=REPOSITORY, env=env, check=True, capture_output=True)


def alertmanager_file(folder: Path, port: int) -> Path:
    """The example of grafana/, which tells our webhook and waits as much shorter."""
    text = (GRAFANA / "alertmanager.yml").read_text().replace("127.0.0.1:9099", f"127.0.0.1:{port}")
    quick = re.sub(r"(group_wait: )30s", r"\g<1>1s\n  group_interval: 1s", text)
    assert quick != text
    (folder / "alertmanager.yml").write_text(quick)
    return folder / "alertmanager.yml"


@pytest.fixture(scope="module")
def watch(cluster: Any, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watch]:
    prometheus = require_program("prometheus", package="prometheus")
    alertmanager = require_program("prometheus-alertmanager", package="prometheus-alertmanager")
    name, folder = cluster.copy(template), tmp_path_factory.mktemp("alerts")
    mail, on_call = MailServer(), OnCall()
    mail.start()
    env = {
        **os.environ,
        "DATABASE_URL": cluster.url(name),
        "DJANGO_SETTINGS_MODULE": "tests.otel.settings",
        "TEST_SETTINGS": json.dumps(SETTINGS),
        "TEST_QUICK_DUTIES": "1",
        "EMAIL_HOST": "127.0.0.1",
        "EMAIL_PORT": str(mail.port),
    }
    crew = Crew(Queue(env["DATABASE_URL"]), env, folder)
    crew.settings_module = "tests.otel.settings"
    crew.queue.rows(
        "INSERT INTO youtility_tasks_tenant (id, name, is_active, weight, created_at) VALUES (7, 'Acme', true, 1, now())"
    )
    with contextlib.ExitStack() as stack:
        stack.callback(cluster.drop, name)
        stack.callback(mail.stop)
        stack.callback(on_call.server.server_close)
        stack.callback(on_call.server.shutdown)
        stack.callback(crew.close)
        exporter = stack.enter_context(
            running(folder, env, sys.executable, "-m", "django", "run_task_exporter", "--port", "0", "--json-logs")
        )
        for queues in (("email", "high_priority", "maintenance"), ("reports",)):
            crew.start(queues=queues, threads=1, ready=False, **SETTINGS)
        rules(folder / "made", env)
        scraped = until(
            lambda: re.search(r"address=http://(\S+)/metrics", exporter.read_text()), why="the exporter answers"
        )
        until(lambda: len(crew.queue.workers()) == 4, why="four workers")
        assert scraped is not None
        until(lambda: b"youtility_up 1" in get(f"http://{scraped[1]}/metrics"), why="the exporter has numbers")
        ports = free_port(), free_port()
        told = {
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(folder / "made" / "rules" / "*.yml")],
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{ports[1]}"]}]}]},
            "scrape_configs": [{"job_name": "tasks", "static_configs": [{"targets": [scraped[1]]}]}],
        }
        (folder / "prometheus.yml").write_text(yaml.safe_dump(told))
        configured = alertmanager_file(folder, on_call.server.server_port)
        stack.enter_context(
            running(folder, env, alertmanager, f"--config.file={configured}", f"--storage.path={folder / 'am'}",
                    f"--web.listen-address=127.0.0.1:{ports[1]}", "--cluster.listen-address=")
        )  # fmt: skip
        stack.enter_context(
            running(folder, env, prometheus, f"--config.file={folder / 'prometheus.yml'}",
                    f"--storage.tsdb.path={folder / 'tsdb'}", f"--web.listen-address=127.0.0.1:{ports[0]}")
        )  # fmt: skip
        made = Watch(crew, mail, on_call, f"127.0.0.1:{ports[0]}", env)
        yearly = ("yearly", "--task", "takes", "--args", '{"seconds": 0.001}', "--cron", "0 0 1 1 *", "--zone", "UTC")
        made.manage("schedule", "add", *yearly)
        until(lambda: made.ask("youtility_up == 1"), why="Prometheus has scraped")
        stack.enter_context(traffic(env["DATABASE_URL"]))
        yield made


def test_nobody_is_called_while_all_is_well_and_each_fault_calls_whom_it_should(watch: Watch) -> None:
    quiet_until = time.monotonic() + CALM_S
    until(lambda: time.monotonic() > quiet_until)

    until(lambda: watch.ask('youtility_promises_judged_total{queue="email", promise="success"} > 50'))
    assert watch.on_call.told == {} and watch.ask('ALERTS{alertstate="firing"}') == []
    assert len(watch.mail.keeps.mails) > 50

    began = time.monotonic()
    # A worker's process is killed, and nobody starts another; the mail server goes; 300 calls at once; a schedule that nobody looks at; a queue that
    # somebody has paused.
    watch.manage("pause", "maintenance", "--reason", "just a moment")
    watch.crew.queue.put("takes", queue="maintenance", seconds=0.001)
    os.kill(watch.crew.supervisors[1].pid, signal.SIGKILL)
    watch.mail.stop()
    with watch.crew.queue.transaction():
        for _ in range(300):
            watch.crew.queue.put("takes", queue="high_priority", seconds=0.03)
    watch.crew.queue.rows("UPDATE youtility_tasks_scheduledtask SET next_at = now() - interval '3 seconds'")
    expected = {
        ("page", "NoWorkers", "reports"),
        ("page", "JobsFail", "email"),
        ("page", "StartsLate", "high_priority"),
        ("page", "ScheduleLate", "other"),
        ("page", "JobsWait", "maintenance"),
    }

    until(lambda: expected <= set(watch.on_call.told), within_s=25, why=f"{expected}; told: {watch.on_call.told}")
    # Dead letters of the mails that nobody took are told of when there are numbers of an hour (here a minute) ago; that their attempts fail
    # is hidden by JobsFail once that is told.
    also = {("ticket", "DeadLettersGrow", "email"), ("page", "AttemptsFail", "email")}
    assert set(watch.on_call.told) - also == expected
    assert {told: at - began for told, at in watch.on_call.told.items() if at - began > 20} == {}
