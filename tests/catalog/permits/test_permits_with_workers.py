"""A permit's mail by a real worker: in a child of its own, with a real document, over SMTP."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connections

from task_catalog.email import work_permits as tasks
from task_catalog.facility.sentinels import ensure_sentinels
from tests import warm
from tests.catalog.closing.smtp_sink import Sink, SinkController
from tests.catalog.permits.world import Contractor, pdf_of, recipients, text_of
from tests.conftest import Database, point_django_at
from youtility_tasks import tenant


@pytest.fixture
def here(fresh_database: Database, django_db_setup: None, django_db_blocker: Any) -> Iterator[Database]:
    """This process works in the test's own database, as the worker does."""
    before = dict(connections.databases["default"])
    with django_db_blocker.unblock():
        point_django_at(fresh_database.url)
        yield fresh_database
        connections["default"].close()
        connections.databases["default"].update(before)


@pytest.fixture
def sink() -> Iterator[SinkController]:
    controller = SinkController(Sink())
    controller.start()
    yield controller
    controller.stop()


def drain(here: Database, port: int, **env: str) -> None:
    """A real worker of the queue until nothing waits."""
    worker = warm.run(
        [sys.executable, "-m", "youtility_tasks.standalone", "run_postgresql_worker", "--drain", "--queues", "email"],
        env={**here.env, "EMAIL_HOST": "127.0.0.1", "EMAIL_PORT": str(port), **env},
        capture_output=True,
        text=True,
        timeout=90,
    )
    assert worker.returncode == 0, worker.stderr


@pytest.mark.timeout(240)
def test_a_child_that_is_killed_between_sending_and_marking_repeats_that_mail_alone(
    here: Database, sink: SinkController, tmp_path: Any
) -> None:
    ensure_sentinels()
    acme = Contractor("acme", ctzoffset=330)
    permit = acme.permit()
    with tenant(acme.id):
        tasks.send_email_notification_for_wp_from_mobile_for_verifier.enqueue(womid=permit.pk)

    drain(here, sink.port, YOUTILITY_TASKS_FAILPOINTS=f"after_effect=kill:{tmp_path}/once")

    mailbox = sink.handler
    assert here.rows("SELECT status FROM procrastinate_jobs") == []
    first, second = sorted(acme.staff[code].email for code in ("V1", "V2"))
    assert recipients(mailbox) in ([first, first, second], [first, second, second])
    assert len({each.message["Message-ID"] for each in mailbox.received}) == 2
    assert all("Cold Work Permit 7" in text_of(pdf_of(each)[1]) for each in mailbox.received)
