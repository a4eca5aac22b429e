"""When a job fails for good, the administrators hear of it once a task and hour (catalog.md 2.0)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from task_catalog.email.reminders import send_reminder_email
from task_catalog.high_priority.closing import auto_close_jobs
from tests.catalog.closing.world import START
from youtility_tasks import tenant
from youtility_tasks.models import Job, TaskEffect
from youtility_tasks.testing import run_jobs

NOBODY = 987_654_321


def fail(client_id: int) -> None:
    with tenant(client_id):
        auto_close_jobs.enqueue(jobneedid=NOBODY)
    run_jobs("high_priority")


def notices() -> list[str]:
    return sorted(TaskEffect.objects.filter(key__startswith="notice:failed").values_list("key", flat=True))


def test_failures_of_two_clients_in_one_hour_are_one_mail_and_the_next_hour_another(acme, globex, mailbox, clock_at):
    fail(acme.client.pk)
    fail(globex.client.pk)
    clock_at(START.replace(hour=13))
    fail(acme.client.pk)
    assert Job.objects.dead_letters().count() == 3

    for _ in range(2):
        send_reminder_email.enqueue()
        run_jobs("email")

    assert notices() == [f"notice:failed:auto_close_jobs:{START:%Y-%m-%d}T{hour}" for hour in (12, 13)]
    mails = [received.message for received in mailbox.received]
    assert [mail["X-Youtility-Task"] for mail in mails] == ["admin_notice", "admin_notice"]
    assert {mail["To"] for mail in mails} == {"ops@house.example"}
    assert "auto_close_jobs failed" in mails[0]["Subject"]


def test_an_attempt_that_will_be_repeated_is_no_news(acme, no_mail_server, clock_at, monkeypatch):
    def broken(*args: object) -> None:
        raise RuntimeError("the first time")

    monkeypatch.setattr("task_catalog.high_priority.closing._Run.serve", broken)
    with tenant(acme.client.pk):
        auto_close_jobs.enqueue()
    assert run_jobs("high_priority") == 1

    assert notices() == []


def test_somebody_who_cannot_be_told_does_not_change_how_a_job_ends(acme, no_mail_server, monkeypatch, caplog):
    def deaf(*args: object) -> None:
        raise RuntimeError("nobody there")

    monkeypatch.setattr("youtility_tasks.workers.run.on_final_failure", [deaf])

    fail(acme.client.pk)

    assert Job.objects.dead_letters().get().task_name == "auto_close_jobs"
    assert "nobody was told of the failure" in caplog.text


@pytest.mark.usefixtures("mailbox")
def test_an_hour_that_has_passed_is_not_told_again(acme, clock_at):
    fail(acme.client.pk)
    clock_at(START.replace(hour=12) + timedelta(minutes=59))
    fail(acme.client.pk)

    assert len(notices()) == 1
