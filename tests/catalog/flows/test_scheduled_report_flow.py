"""A report that came by itself as a workflow: a run a report, which ends with one history row, whatever became of its mail."""

from __future__ import annotations

from typing import Any

import pytest

from task_catalog.flows import scheduled_report
from task_catalog.ports import mail
from task_catalog.reports.mailing import send_generated_report_on_mail
from task_catalog.reports.scheduled import create_scheduled_reports, request_of
from task_catalog.rules.report_schedule import Period
from tests.catalog.closing.world import START, run
from tests.catalog.reports.test_scheduled import utc
from tests.catalog.reports.world import histories, schedule, visits
from youtility_tasks import BadInput, Run, tenant
from youtility_tasks.models import TaskWorkflow
from youtility_tasks.testing import run_jobs

HISTORY = "create_report_history"


@pytest.fixture(autouse=True)
def work(acme: Any, site: Any, clock_at: Any, folders: Any) -> Any:
    clock_at(utc("03 08:22"))
    return visits(acme, site, "COMPLETED", plandatetime=START)


def only_run(company: Any) -> Run:
    (found,) = TaskWorkflow.objects.filter(name=scheduled_report.NAME, tenant_id=company.id)
    return Run(found.pk)


def statuses(company: Any) -> dict[str, str]:
    with tenant(company.id):
        return only_run(company).statuses()


def test_a_run_waits_for_the_mail_and_ends_with_the_history(acme, site, mailbox):
    schedule(acme, site)
    run(create_scheduled_reports)
    assert statuses(acme) == {scheduled_report.ENDED: "todo", HISTORY: "blocked"}

    run(send_generated_report_on_mail)
    run_jobs("reports")

    assert statuses(acme) == {scheduled_report.ENDED: "succeeded", HISTORY: "succeeded"}
    (row,) = histories(acme)
    assert (row.has_data, row.traceback, row.export_type) == (True, "", "SCHEDULED")


def test_a_report_that_the_server_refuses_is_entered_with_its_reason(acme, site, monkeypatch):
    def refuse(*given: Any) -> Any:
        raise BadInput("no such house")

    schedule(acme, site)
    run(create_scheduled_reports)
    monkeypatch.setattr(mail, "deliver", refuse)

    run(send_generated_report_on_mail)
    run_jobs("reports")

    assert statuses(acme) == {scheduled_report.ENDED: "succeeded", HISTORY: "succeeded"}
    (row,) = histories(acme)
    assert row.has_data and "no such house" in row.traceback


def test_a_file_that_was_lost_is_made_again_in_the_same_run(acme, site, mailbox, clock_at, folders):
    schedule(acme, site)
    run(create_scheduled_reports)
    folders.files()[0].unlink()
    run(send_generated_report_on_mail)
    clock_at(utc("03 16:22"))

    run(create_scheduled_reports)
    run(send_generated_report_on_mail)
    run_jobs("reports")

    assert statuses(acme) == {scheduled_report.ENDED: "succeeded", HISTORY: "succeeded"}
    assert len(list(histories(acme))) == 1


def test_without_rows_nothing_is_waited_for(acme, site, clock_at):
    schedule(acme, site, report_params={"people": 999_999})
    acme_rows = TaskWorkflow.objects.filter(name=scheduled_report.NAME)
    clock_at(utc("05 08:22"))

    run(create_scheduled_reports)
    run_jobs("reports")

    assert not acme_rows.exists()
    assert [row.has_data for row in histories(acme)] == [False]


def test_a_report_of_before_there_were_runs_is_told_at_once_and_once(acme, site, mailbox):
    schedule(acme, site)
    run(create_scheduled_reports)
    TaskWorkflow.objects.all().delete()

    run(send_generated_report_on_mail)
    run_jobs("reports")

    assert len(list(histories(acme))) == 1


def test_a_second_word_changes_nothing(acme, site, mailbox):
    row = schedule(acme, site)
    run(create_scheduled_reports)
    with tenant(acme.id):
        request = request_of(row, Period(utc("02 00:30"), utc("03 00:30")), 330)
        scheduled_report.end(request)
        scheduled_report.end(request, has_data=False, trouble=("late", "a second word", None))

    run_jobs("reports")

    assert [(each.has_data, each.traceback) for each in histories(acme)] == [(True, "")]


def test_a_worker_that_dies_between_the_word_and_the_end_of_the_promise_says_neither(acme, site, mailbox, monkeypatch):
    schedule(acme, site)
    run(create_scheduled_reports)
    with monkeypatch.context() as patched:
        patched.setattr("youtility_tasks.effects.skip", lambda *given: 1 / 0)
        with pytest.raises(Exception, match="division"):
            run(send_generated_report_on_mail)
    assert statuses(acme)[HISTORY] == "blocked"

    run(send_generated_report_on_mail)
    run_jobs("reports")

    assert statuses(acme)[HISTORY] == "succeeded"
    assert (len(mailbox.received), len(list(histories(acme)))) == (1, 1)
