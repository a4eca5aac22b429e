"""A report on demand as a workflow: made, mailed if that was asked for, and exactly one history row whatever became of it."""

from __future__ import annotations

from typing import Any

import pytest

from task_catalog.flows import report_on_demand
from task_catalog.ports import mail
from task_catalog.reports.on_demand import create_save_report_async
from tests.catalog.reports.world import form, histories, visits
from youtility_tasks import BadInput, Run, TaskContext, running, tenant
from youtility_tasks.models import TaskExecutionHistory
from youtility_tasks.testing import run_jobs

MADE, SMALL, LARGE, HISTORY = (
    "create_save_report_async", "send_report_on_email", "send_generated_report_onfly_email", "create_report_history",
)  # fmt: skip


def begin(company: Any, asked: dict[str, Any], user: Any) -> Run:
    with tenant(company.id):
        return report_on_demand.begin(formdata=asked, client_id=company.id, user_email=user.email, user_id=user.pk)


def send_form(site: Any) -> dict[str, Any]:
    return form("TASKSUMMARY", site, export_type="SEND", to_addr=["boss@acme.example"])


def ended() -> list[str]:
    return list(
        TaskExecutionHistory.objects.filter(is_final=True).order_by("finished_at").values_list("task_name", flat=True)
    )


@pytest.fixture
def work(acme: Any, site: Any) -> Any:
    return visits(acme, site, "COMPLETED", "ASSIGNED")


@pytest.fixture
def by_file(settings: Any) -> None:
    settings.TASK_CATALOG = {**settings.TASK_CATALOG, "report_inline_bytes": 1}


@pytest.fixture
def no_mail(monkeypatch: Any) -> None:
    def refuse(*given: Any) -> Any:
        raise BadInput("the server knows no such house")

    monkeypatch.setattr(mail, "deliver", refuse)


def test_a_download_is_made_and_entered(acme, site, asker, work, folders):
    run = begin(acme, form("TASKSUMMARY", site), asker)

    run_jobs()

    assert run.statuses() == {MADE: "succeeded", SMALL: "skipped", LARGE: "skipped", HISTORY: "succeeded"}
    assert ended() == [MADE, HISTORY]
    (row,) = histories(acme)
    assert (row.user_id, row.bu_id, row.export_type, row.has_data, row.traceback) == (
        asker.pk,
        site.pk,
        "DOWNLOAD",
        True,
        "",
    )
    assert run.step(MADE).result["filepath"] == str(*folders.files())


def test_without_rows_the_history_says_so(acme, site, asker):
    run = begin(acme, form("TASKSUMMARY", site), asker)

    run_jobs()

    assert run.status == "succeeded"
    (row,) = histories(acme)
    assert (row.has_data, row.traceback) == (False, "")


def test_a_small_report_is_mailed_by_reference(acme, site, asker, work, mailbox, folders):
    run = begin(acme, send_form(site), asker)

    run_jobs()

    assert run.statuses() == {MADE: "succeeded", SMALL: "succeeded", LARGE: "skipped", HISTORY: "succeeded"}
    assert len(mailbox.of_task(SMALL)) == 1
    assert ended() == [MADE, SMALL, HISTORY]
    (row,) = histories(acme)
    assert (row.export_type, row.has_data, row.traceback) == ("EMAIL", True, "")
    assert "json_report" not in str(TaskExecutionHistory.objects.get(task_name=SMALL, is_final=True).args)


def test_a_large_one_is_mailed_as_a_file_which_is_gone_then(acme, site, asker, work, by_file, mailbox, folders):
    run = begin(acme, send_form(site), asker)

    run_jobs()

    assert run.statuses() == {MADE: "succeeded", SMALL: "skipped", LARGE: "succeeded", HISTORY: "succeeded"}
    assert len(mailbox.of_task(LARGE)) == 1
    assert folders.files() == []
    assert len(list(histories(acme))) == 1

    # The job is delivered once more (its worker was cut off after the database had its end): the file does not come back.
    first = run.step(MADE)
    context = TaskContext.for_tests(create_save_report_async, job_id=first.job_id, attempt=2)
    given = {"client_id": acme.id, "user_email": asker.email, "user_id": asker.pk}
    before = running.current.set(running.Running(first.job_id, MADE, run.id))
    try:
        with tenant(acme.id):
            again = create_save_report_async.func(context, formdata=send_form(site), **given)
    finally:
        running.current.reset(before)
    assert again == first.result
    assert folders.files() == []


def test_a_request_that_cannot_be_met_is_in_the_history_with_its_traceback(acme, site, asker):
    run = begin(acme, {**form("TASKSUMMARY", site), "format": "docx"}, asker)

    run_jobs()

    assert run.statuses() == {MADE: "failed", SMALL: "skipped", LARGE: "skipped", HISTORY: "succeeded"}
    (row,) = histories(acme)
    assert (row.has_data, "docx" in row.traceback, "Traceback" in row.traceback) == (False, True, True)
    assert (row.user_id, row.bu_id) == (asker.pk, site.pk)


@pytest.mark.parametrize("is_large", [False, True])
def test_a_mail_that_fails_for_good_is_in_the_history_too(is_large, acme, site, asker, work, no_mail, folders, request):
    if is_large:
        request.getfixturevalue("by_file")
    run = begin(acme, send_form(site), asker)

    run_jobs()

    assert run.statuses() == {
        MADE: "succeeded",
        SMALL: "skipped" if is_large else "failed",
        LARGE: "failed" if is_large else "skipped",
        HISTORY: "succeeded",
    }
    (row,) = histories(acme)
    assert (row.has_data, "no such house" in row.traceback) == (True, True)
    assert len(folders.files()) == is_large


def test_a_process_that_died_is_told_by_its_edge_and_not_by_the_sweep(acme, site, asker, work):
    from task_catalog.reporting.telling import tell_of_dead_letters
    from tests.integration.desk import Desk

    run = begin(acme, form("TASKSUMMARY", site), asker)
    desk = Desk("reports")
    desk.finish(desk.take(), "failed", error_class="youtility_tasks.errors.ChildDied")

    with tenant(acme.id):
        assert tell_of_dead_letters() == 0
    run_jobs()

    assert run.statuses()[HISTORY] == "succeeded"
    (row,) = histories(acme)
    assert "ChildDied" in row.traceback
