"""One stage for all that follow jobs on their way; each test has jobs of its own."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

import pytest

from tests.acceptance.crew import Crew, Queue
from tests.otel.mail_server import MailServer
from tests.otel.stage import Receiver, Stage, development, web

TRACING = "youtility_tasks.tracing.setup.from_environment"


@pytest.fixture(scope="module")
def stage(cluster: Any, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    name, folder = cluster.copy(template), tmp_path_factory.mktemp("otel")
    receiver, server = Receiver(), MailServer()
    server.start()
    env = {
        **os.environ,
        "DATABASE_URL": cluster.url(name),
        "EMAIL_HOST": "127.0.0.1",
        "EMAIL_PORT": str(server.port),
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{receiver.server.server_port}",
        "OTEL_BSP_SCHEDULE_DELAY": "100",
        "TEST_EVENTS": str(folder / "events"),
    }
    crew = Crew(Queue(env["DATABASE_URL"]), env, folder)
    crew.settings_module = "tests.otel.settings"
    crew.queue.rows(
        "INSERT INTO youtility_tasks_tenant (id, name, is_active, weight, created_at) VALUES (7, 'Acme', true, 1, now())"
    )
    made = Stage(crew, receiver, server.keeps.mails)
    settings = {"tracing": TRACING, "attempt_watchers": ["tests.otel.reporting.watch"]}
    made.webs = {
        **env,
        "DJANGO_SETTINGS_MODULE": crew.settings_module,
        "TEST_SETTINGS": json.dumps({"tracing": TRACING}),
    }
    try:
        crew.start("--json-logs", queues=("email",), max_crashes=1, **settings)
        with web(made, made.webs):
            yield made
    finally:
        crew.close()
        server.stop()
        receiver.server.shutdown()
        receiver.server.server_close()
        cluster.drop(name)


@pytest.fixture
def runserver(stage: Stage) -> Iterator[Stage]:
    """The same stage, whose pages Django's own server shows."""
    with development(stage) as shown:
        yield shown
