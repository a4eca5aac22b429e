"""Reports by real workers: rendered in a child of its own, mailed over SMTP, each told once."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pypdfium2
import pytest
from django.db import connections

from task_catalog.facility.sentinels import ensure_sentinels
from task_catalog.reports.on_demand import create_save_report_async
from task_catalog.reports.scheduled import create_scheduled_reports
from tests import warm
from tests.catalog.closing.smtp_sink import Sink, SinkController
from tests.catalog.closing.world import Company
from tests.catalog.reports.world import form, schedule, visits
from tests.conftest import Database, point_django_at
from youtility_tasks import tenant
from youtility_tasks.tenants import no_tenant

QUEUES = ("reports", "email")


@pytest.fixture
def here(fresh_database: Database, django_db_setup: None, django_db_blocker: Any) -> Any:
    """This process works in the test's own database, as the workers do."""
    before = dict(connections.databases["default"])
    with django_db_blocker.unblock():
        point_django_at(fresh_database.url)
        yield fresh_database
        connections["default"].close()
        connections.databases["default"].update(before)


@pytest.fixture
def sink() -> Any:
    controller = SinkController(Sink())
    controller.start()
    yield controller
    controller.stop()


def drain(here: Database, **env: str) -> None:
    """Real workers of both queues until nothing waits."""
    worker = warm.run(
        [sys.executable, "-m", "youtility_tasks.standalone", "run_postgresql_worker", "--drain", "--queues", *QUEUES],
        env={**here.env, "YOUTILITY_REPORT_INLINE_BYTES": "2000", **env},
        capture_output=True,
        text=True,
        timeout=80,
    )
    assert worker.returncode == 0, worker.stderr


@pytest.mark.timeout(180)
def test_a_morning_of_reports(here: Database, sink: SinkController, tmp_path: Path) -> None:
    ensure_sentinels()
    acme = Company("acme", ctzoffset=330)
    site = acme.site("1")
    asker = acme.person("asker", site)
    visits(acme, site, "COMPLETED", "ASSIGNED")
    schedule(acme, site, cron="0 6 * * *", lastgeneratedon=None)  # yesterday, by the machine's clock: nothing happened
    send = {"export_type": "SEND", "to_addr": ["b@acme.example"]}
    asked = [
        form("TASKSUMMARY", site, format="pdf"),
        form("TASKSUMMARY", site, **send),
        form("TASKSUMMARY", site, format="pdf", **send),
        form("TASKSUMMARY", site, format="docx"),
        form("TOURSUMMARY", site),
    ]
    with tenant(acme.id):
        for each in asked:
            create_save_report_async.enqueue(formdata=each, client_id=acme.id, user_email=asker.email, user_id=asker.pk)
    with no_tenant():
        create_scheduled_reports.enqueue()

    # A queue that is empty is done, and a report by file goes to the other queue and back: at most three times.
    for _ in range(3):
        drain(here, YOUTILITY_HOME=str(tmp_path), EMAIL_HOST="127.0.0.1", EMAIL_PORT=str(sink.port))

    told = here.rows("SELECT export_type, has_data, traceback <> '' FROM report_history ORDER BY 1, 2, 3")
    assert told == [
        ("DOWNLOAD", False, False),
        ("DOWNLOAD", False, True),
        ("DOWNLOAD", True, False),
        ("EMAIL", True, False),
        ("EMAIL", True, False),
        ("SCHEDULED", False, False),
    ]
    (file,) = [path for path in (tmp_path / "reports").rglob("*") if path.is_file()]
    assert "acme site 1" in pypdfium2.PdfDocument(str(file))[0].get_textpage().get_text_range()
    received = sink.handler.received
    assert sorted(got.message["X-Youtility-Task"] for got in received) == [
        "send_generated_report_onfly_email",
        "send_report_on_email",
    ]
    assert here.rows("SELECT task_name FROM procrastinate_jobs") == [("create_save_report_async",)]
