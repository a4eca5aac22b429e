"""Admin notices: promised with their cause, sent once, in nobody's way."""

from __future__ import annotations

import pytest
from django.db import transaction

from task_catalog import notices
from youtility_tasks import tenant
from youtility_tasks.models import TaskEffect


@pytest.fixture
def in_acme(acme):
    with tenant(acme.id):
        yield acme


def test_a_notice_reaches_the_administrators_once(in_acme, mailbox):
    with transaction.atomic():
        assert notices.promise("bad-cron:17:2025-03-03", "Plan 17 cannot be scheduled", ["cron <61 * * * *>"])
        assert not notices.promise("bad-cron:17:2025-03-03", "Plan 17 cannot be scheduled", ["again"])

    assert notices.send_pending() == 1
    assert notices.send_pending() == 0

    (got,) = mailbox.received
    assert got.recipients == ("ops@house.example",)
    assert got.message["X-Youtility-Task"] == "admin_notice"
    assert got.message["X-Youtility-Effect"] == "notice:bad-cron:17:2025-03-03"
    assert got.message["Subject"].strip() == "Plan 17 cannot be scheduled"
    assert "- cron <61 * * * *>" in got.text
    assert "cron &lt;61" in got.html


def test_a_notice_of_a_rolled_back_transaction_is_never_sent(in_acme, mailbox):
    with pytest.raises(RuntimeError), transaction.atomic():
        notices.promise("x", "never", [])
        raise RuntimeError("roll back")

    assert notices.send_pending() == 0
    assert mailbox.received == []


def test_a_mail_server_that_is_down_delays_the_notice_and_fails_nobody(in_acme, no_mail_server, request):
    notices.promise("x", "Something failed", [])

    assert notices.send_pending() == 0

    mailbox = request.getfixturevalue("mailbox")
    assert notices.send_pending() == 1
    assert len(mailbox.received) == 1


def test_without_administrators_a_notice_is_dropped_and_the_log_says_so(in_acme, mailbox, settings, caplog):
    settings.TASK_CATALOG = {**settings.TASK_CATALOG, "admin_emails": []}
    notices.promise("x", "Something failed", [])

    assert notices.send_pending() == 0

    assert TaskEffect.objects.get(key="notice:x").status == "done"
    assert "notice:x: no_recipients" in caplog.text


def test_another_clients_notices_are_left_to_it(in_acme, globex, mailbox):
    with tenant(globex.id):
        notices.promise("x", "Theirs", [])

    assert notices.send_pending() == 0
    with tenant(globex.id):
        assert notices.send_pending() == 1
    assert mailbox.received[0].message["X-Youtility-Tenant"] == str(globex.id)
