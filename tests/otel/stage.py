"""A web process, a worker, a mail server and who receives their spans: all of them real."""

from __future__ import annotations

import http.server
import json
import re
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests import warm
from tests.acceptance.crew import REPOSITORY, Crew, until

CANARY = "canary-5f21-Ann-Bonny"
KINDS = {1: "internal", 2: "server", 3: "client", 4: "producer", 5: "consumer"}


@dataclass(frozen=True)
class Span:
    """As it was received; ids as text."""

    name: str
    kind: str
    trace: str
    id: str
    parent: str
    begins: int
    ends: int
    is_error: bool
    links: list[str]
    said: dict[str, Any]


class Receiver:
    """Takes OTLP over HTTP."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.bodies: list[bytes] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.bodies.append(body)
                for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                    for scope in resource.scope_spans:
                        outer.spans += [read(each) for each in scope.spans]
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None: ...

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def of_trace(self, trace: str) -> list[Span]:
        return sorted((each for each in self.spans if each.trace == trace), key=lambda each: each.begins)

    def of_job(self, job_id: int, n: int = 1) -> list[Span]:
        """The runs of a job, once so many have come."""

        def see() -> list[Span]:
            found = [
                each
                for each in self.spans
                if each.kind == "consumer" and each.said.get("messaging.message.id") == str(job_id)
            ]
            return sorted(found, key=lambda each: each.begins) if len(found) >= n else []

        return until(see, why=f"{n} spans of job {job_id}: {[each.name for each in self.spans]}")


def read(span: Any) -> Span:
    return Span(
        name=span.name,
        kind=KINDS[span.kind],
        trace=span.trace_id.hex(),
        id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        begins=span.start_time_unix_nano,
        ends=span.end_time_unix_nano,
        is_error=span.status.code == 2,
        links=[each.span_id.hex() for each in span.links],
        said={each.key: next(iter(value_of(each.value))) for each in span.attributes},
    )


def value_of(value: Any) -> Iterator[Any]:
    for _, found in value.ListFields():
        yield found
    yield None


@dataclass
class Stage:
    crew: Crew
    receiver: Receiver
    mails: list[Any]
    webs: dict[str, str] = field(default_factory=dict)
    """The environment of a web process."""
    port: int = 0
    web_log: Path = field(default_factory=Path)

    def get(self, page: str, *, person: str = CANARY, **asked: Any) -> dict[str, Any]:
        """The person is told in a header: an address is anybody's to see."""
        words = "&".join(f"{key}={value}" for key, value in asked.items())
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/{page}/?{words}", headers={"X-Person": person})
        with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310 - of this host
            found: dict[str, Any] = json.load(answer)
        return found

    def lines(self, *logs: Path) -> list[dict[str, Any]]:
        """Of these logs, each of which holds JSON alone."""
        return [json.loads(line) for log in logs for line in complete(log)]


def complete(path: Path) -> list[str]:
    """The lines of a file that somebody may be writing."""
    return path.read_text().split("\n")[:-1] if path.exists() else []


@contextmanager
def web(stage: Stage, env: dict[str, str]) -> Iterator[None]:
    """One gunicorn process."""
    stage.web_log = stage.crew.folder / "web"
    program = [sys.executable, "-m", "gunicorn", "youtility_tasks.standalone.wsgi:application", "--bind", "127.0.0.1:0"]
    program += ["--config", "python:youtility_tasks.standalone.gunicorn", "--graceful-timeout", "2"]
    with stage.web_log.open("wb") as log:
        process = subprocess.Popen(program, cwd=REPOSITORY, env=env, stderr=log)
    try:
        listening = until(
            lambda: re.search(r"Listening at: http://127.0.0.1:(\d+)", stage.web_log.read_text()),
            why="gunicorn listens",
        )
        assert listening is not None
        stage.port = int(listening[1])
        yield
    finally:
        process.terminate()
        process.wait(20)


@contextmanager
def development(stage: Stage) -> Iterator[Stage]:
    """The same pages as `youtility-tasks up` serves them."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    program = [sys.executable, "-m", "django", "runserver", "--noreload", "--insecure", f"127.0.0.1:{port}"]
    with (stage.crew.folder / "runserver").open("wb") as log:
        process = warm.Popen(program, cwd=REPOSITORY, env=stage.webs, stdout=log, stderr=log)
    try:
        until(lambda: answers(port), why="the server answers")
        yield Stage(stage.crew, stage.receiver, stage.mails, port=port)
    finally:
        process.terminate()
        process.wait(20)


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
