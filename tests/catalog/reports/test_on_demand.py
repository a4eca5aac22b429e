"""create_save_report_async and what it leads to, on a real database, a real mail server and real files."""

from __future__ import annotations

import base64
import csv
import io
import json
import os
import stat
from datetime import timedelta

import pytest

from task_catalog.facility.models import ReportHistory
from task_catalog.reports.on_demand import create_save_report_async, send_report_on_email
from tests.catalog.closing.world import NONE, NOON
from tests.catalog.reports.world import form, histories, visits
from youtility_tasks import BadInput, TaskContext, Transient, tenant
from youtility_tasks.models import Job, TaskEffect, TaskExecutionHistory
from youtility_tasks.testing import arguments, enqueued, run_jobs


def enqueue(company, asked, user, **more):
    given = {"formdata": asked, "client_id": company.id, "user_email": user.email, "user_id": user.pk, **more}
    with tenant(company.id):
        return int(create_save_report_async.enqueue(**given).id)


def make(company, asked, user, *, job_id=1, attempt=1, **more):
    """Run the task's body, in its tenant, as this job."""
    given = {"formdata": asked, "client_id": company.id, "user_email": user.email, "user_id": user.pk, **more}
    context = TaskContext.for_tests(create_save_report_async, job_id=job_id, attempt=attempt)
    with tenant(company.id):
        return create_save_report_async.func(context, **given)


def send_form(site, **more):
    return form("TASKSUMMARY", site, export_type="SEND", to_addr=["boss@acme.example"], **more)


@pytest.fixture
def work(acme, site):
    return visits(acme, site, "COMPLETED", "ASSIGNED")


@pytest.fixture
def by_file(settings):
    settings.TASK_CATALOG = {**settings.TASK_CATALOG, "report_inline_bytes": 1}


def test_a_report_for_download_lies_in_its_tenants_folder_under_a_name_nobody_guesses(acme, site, asker, work, folders):
    result = make(acme, form("TASKSUMMARY", site), asker)

    (path,) = folders.files()
    assert result == {
        "status": 200,
        "filepath": str(path),
        "filename": "TASKSUMMARY__2025-03-03--2025-03-03.csv",
        "message": "The report is ready.",
        "rows": 1,
        "warnings": [],
    }
    assert path.parent == folders.on_demand / str(acme.id) / str(asker.pk)
    assert len(path.stem.rpartition("__")[2]) == 32
    assert "acme site 1" in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert path.stat().st_mtime == NOON.timestamp()


def test_a_report_without_rows_is_an_outcome_and_leaves_no_file(acme, site, asker, folders):
    result = make(acme, form("TASKSUMMARY", site), asker)

    assert result["status"] == 404
    assert folders.files() == []
    run_jobs("reports")
    (row,) = histories(acme)
    assert (row.has_data, row.traceback) == (False, "")


def test_the_whole_way_of_a_download_is_one_job_more_and_one_history_row(acme, site, asker, work):
    asked = form("TASKSUMMARY", site, csrfmiddlewaretoken="abc", ctzoffset=330)
    job_id = enqueue(acme, asked, asker)

    run_jobs()

    assert [job.task_name for job in ended()] == ["create_save_report_async", "create_report_history"]
    (row,) = histories(acme)
    assert (row.user_id, row.bu_id, row.client_id) == (asker.pk, site.pk, acme.id)
    assert (row.report_name, row.export_type, row.ctzoffset) == ("TASKSUMMARY", "DOWNLOAD", 330)
    assert (row.has_data, row.traceback, row.datetime) == (True, "", NOON)
    assert row.params == {key: value for key, value in asked.items() if key != "csrfmiddlewaretoken"}
    assert TaskEffect.objects.filter(key=f"report-history:{job_id}").exists()


def test_a_small_report_travels_inside_the_job_that_mails_it(acme, site, asker, work, mailbox, folders):
    enqueue(acme, send_form(site, cc="second@acme.example", email_body="Please read <this>."), asker)

    run_jobs()

    (got,) = mailbox.of_task("send_report_on_email")
    assert set(got.recipients) == {"boss@acme.example", "second@acme.example"}
    assert got.message["Subject"].strip() == "Requested report TASKSUMMARY from House of Keys"
    assert "Please read <this>." in got.text
    assert "Please read &lt;this&gt;." in got.html
    (attached,) = got.message.iter_attachments()
    assert (attached.get_filename(), attached.get_content_type()) == ("TASKSUMMARY.csv", "text/csv")
    rows = list(csv.reader(io.StringIO(attached.get_payload(decode=True).decode("utf-8-sig"))))
    assert rows[1][0] == site.buname
    assert folders.files() == []
    (row,) = histories(acme)
    assert (row.export_type, row.to_mails, row.cc_mails) == ("EMAIL", "boss@acme.example", "second@acme.example")
    assert (row.email_body, row.user_id, row.bu_id) == ("Please read <this>.", asker.pk, site.pk)


def test_a_large_report_is_mailed_by_file_which_is_deleted_afterwards(
    acme, site, asker, work, mailbox, folders, by_file
):
    enqueue(acme, send_form(site, email_body="As asked.", ctzoffset=330), asker)
    run_jobs("reports")
    (path,) = folders.files()

    run_jobs()

    (got,) = mailbox.of_task("send_generated_report_onfly_email")
    assert got.recipients == ("boss@acme.example",)
    assert got.message["Subject"].strip() == "Your report TASKSUMMARY, 03-Mar-2025 17:30:00"
    assert got.message["Reply-To"] == asker.email
    assert "Facility desk" in got.message["From"]
    assert "As asked." in got.text
    (attached,) = got.message.iter_attachments()
    assert attached.get_filename() == "TASKSUMMARY__2025-03-03--2025-03-03.csv"
    assert path.name not in got.text
    assert folders.files() == []
    (row,) = histories(acme)
    assert (row.export_type, row.report_name, row.traceback) == ("EMAIL", "TASKSUMMARY", "")
    assert [job.task_name for job in ended()] == [
        "create_save_report_async",
        "send_generated_report_onfly_email",
        "create_report_history",
    ]


@pytest.mark.parametrize("address", [None, ""])
def test_who_has_no_address_may_ask_for_a_report_too(acme, site, asker, work, mailbox, by_file, address):
    enqueue(acme, send_form(site), asker, user_email=address)

    run_jobs()

    (got,) = mailbox.of_task("send_generated_report_onfly_email")
    assert (got.recipients, got.message["Reply-To"]) == (("boss@acme.example",), None)
    assert [row.traceback for row in histories(acme)] == [""]


def test_a_report_that_no_job_can_carry_goes_by_file_whatever_the_setting_says(
    acme, site, asker, work, folders, monkeypatch, settings
):
    settings.YOUTILITY_TASKS = {**settings.YOUTILITY_TASKS, "max_args_bytes": 900}
    visits(acme, site, "COMPLETED", plandatetime=NOON, jobdesc="x" * 200)
    assert enqueue(acme, form("LISTOFTASKS", site, export_type="SEND", to_addr="b@acme.example"), asker)

    run_jobs("reports")

    assert [job.task_name for job in enqueued()] == ["send_generated_report_onfly_email"]
    assert len(folders.files()) == 1


def test_d41_two_people_and_two_requests_of_one_have_files_of_their_own(acme, globex, site, asker, work, folders):
    """Files were named by the report alone."""
    other = acme.person("other", site)
    their_site = globex.site("1")
    visits(globex, their_site, "COMPLETED")
    their_asker = globex.person("asker", their_site)
    asked = form("TASKSUMMARY", site)

    for n, (company, given, user) in enumerate(
        [
            (acme, asked, asker),
            (acme, asked, asker),
            (acme, asked, other),
            (globex, form("TASKSUMMARY", their_site), their_asker),
        ]
    ):
        assert make(company, given, user, job_id=n + 1)["status"] == 200

    paths = folders.files()
    assert len(paths) == 4
    assert {path.parent.parent.name for path in paths} == {str(acme.id), str(globex.id)}
    for path in paths:
        ours = path.parent.parent.name == str(acme.id)
        assert ("acme site" in path.read_text(), "globex site" in path.read_text()) == (ours, not ours)


def test_a_second_run_writes_the_same_file_and_tells_nothing_new(acme, site, asker, work, folders):
    first = make(acme, form("TASKSUMMARY", site), asker)
    again = make(acme, form("TASKSUMMARY", site), asker, attempt=2)

    assert again == first
    assert len(folders.files()) == 1
    assert [job.task_name for job in enqueued()] == ["create_report_history"]


@pytest.mark.parametrize("inline", [1, 1_000_000])
def test_a_second_run_of_a_send_hands_nothing_over_again(acme, site, asker, work, folders, mailbox, settings, inline):
    settings.TASK_CATALOG = {**settings.TASK_CATALOG, "report_inline_bytes": inline}
    first = make(acme, send_form(site), asker)
    run_jobs()

    again = make(acme, send_form(site), asker, attempt=2)
    assert enqueued() == []
    run_jobs()

    assert first == again
    assert first["status"] == 201
    assert len(mailbox.received) == 1
    assert folders.files() == []
    assert ReportHistory.objects.count() == 1


def test_d2_dying_between_the_file_and_the_commit_leaves_one_mail(
    acme, site, asker, work, folders, mailbox, by_file, monkeypatch
):
    def die(**kwargs):
        raise RuntimeError("killed")

    with monkeypatch.context() as patched:
        patched.setattr("task_catalog.reporting.awaiting.effects.promise", lambda *args, **kwargs: die())
        with pytest.raises(RuntimeError, match="killed"):
            make(acme, send_form(site), asker)
    assert enqueued() == []

    make(acme, send_form(site), asker, attempt=2)
    run_jobs()

    assert len(mailbox.received) == 1
    assert folders.files() == []


def test_d48_an_error_on_the_way_is_no_missing_data_and_leaves_no_half_file(
    acme, site, asker, work, folders, monkeypatch
):
    monkeypatch.setattr("task_catalog.reporting.writers.as_csv._cell", lambda value, offset: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        make(acme, form("TASKSUMMARY", site), asker)

    assert folders.files() == []


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"report_name": "NOTHING"}, "There is no report"),
        ({"format": "docx"}, "format is 'docx'"),
        ({"fromdate": "2025-01-01"}, "at most 31"),
        ({"fromdate": "2025-03-04"}, "is after"),
        ({"export_type": "SEND", "to_addr": []}, "at least one e-mail address"),
        ({"export_type": "SEND", "to_addr": "nobody"}, "at least one e-mail address"),
        ({"export_type": "SEND", "to_addr": 5}, "right is a list of e-mail addresses"),
        ({"export_type": "PRINT"}, "right is DOWNLOAD or SEND"),
    ],
)
def test_a_bad_request_fails_at_once_and_is_told_with_its_traceback(acme, site, asker, work, changed, words):
    enqueue(acme, {**form("TASKSUMMARY", site), **changed}, asker)

    run_jobs()

    (failed,) = Job.objects.dead_letters()
    (row,) = histories(acme)
    assert (row.user_id, row.bu_id, row.has_data) == (asker.pk, site.pk, False)
    assert "BadInput" in row.traceback and "Traceback" in row.traceback
    assert failed.task_name == "create_save_report_async"
    assert TaskExecutionHistory.objects.get(job_id=failed.pk).attempt == 1


def test_d32_a_report_of_another_clients_site_is_refused_and_told_of_ones_own(acme, globex, asker, folders):
    theirs = globex.site("1")
    visits(globex, theirs, "COMPLETED")

    enqueue(acme, form("TASKSUMMARY", theirs), asker)
    run_jobs()

    (row,) = histories(acme)
    assert (row.bu_id, row.user_id) == (asker.bu_id, asker.pk)
    assert "is no site of client" in row.traceback
    assert list(histories(globex)) == []
    assert folders.files() == []


def test_a_user_or_client_that_is_somebody_elses_is_bad_input(acme, globex, site, asker, work):
    stranger = globex.person("asker")

    with pytest.raises(BadInput, match="has no user"):
        make(acme, form("TASKSUMMARY", site), stranger)
    with pytest.raises(BadInput, match="client_id is"):
        make(acme, form("TASKSUMMARY", site), asker, client_id=globex.id)

    enqueue(acme, form("TASKSUMMARY", site), stranger)
    run_jobs()
    (row,) = histories(acme)
    assert row.user_id == NONE


def test_d1_a_bug_is_tried_three_times_and_told_once(acme, site, asker, work, monkeypatch, settings):
    settings.YOUTILITY_TASKS = {**settings.YOUTILITY_TASKS, "retry_delay_factor": 0}
    monkeypatch.setattr("task_catalog.reporting.writers.as_csv._cell", lambda value, offset: 1 / 0)

    job_id = enqueue(acme, form("TASKSUMMARY", site), asker)
    run_jobs()

    assert TaskExecutionHistory.objects.filter(job_id=job_id).count() == 3
    (row,) = histories(acme)
    assert "ZeroDivisionError" in row.traceback


def test_without_a_folder_the_setting_is_named(acme, site, asker, work, settings):
    settings.TASK_CATALOG = {**settings.TASK_CATALOG, "ondemand_reports_folder": ""}

    with pytest.raises(BadInput, match=r"TASK_CATALOG\['ondemand_reports_folder'\] is ''; right is an absolute path"):
        make(acme, form("TASKSUMMARY", site), asker)


def test_the_applications_own_setting_names_the_folder(acme, site, asker, work, settings, tmp_path):
    settings.TASK_CATALOG = {**settings.TASK_CATALOG, "ondemand_reports_folder": ""}
    settings.ONDEMAND_REPORTS_GENERATED = str(tmp_path / "theirs")

    result = make(acme, form("TASKSUMMARY", site), asker)

    assert result["filepath"].startswith(str(tmp_path / "theirs"))


# --- send_report_on_email, called by somebody else -------------------------------------------------------------------


def mail_form(**more):
    return {"report_name": "Keys & <locks>", "format": "pdf", "to_addr": ["b@acme.example"], **more}


def packed(content: bytes = b"%PDF-1.7 hello") -> str:
    return json.dumps({"report": base64.b64encode(content).decode()})


def send(company, given, content=None, **more):
    with tenant(company.id):
        return send_report_on_email.func(formdata=given, json_report=packed() if content is None else content, **more)


def test_a_report_of_anybody_is_mailed_with_the_type_of_its_format(acme, mailbox):
    result = send(acme, mail_form(to_addr="b@acme.example, B@ACME.example; c@acme.example"))

    assert result == {
        "status": "ok",
        "filename": "Keys _ _locks_.pdf",
        "size": 14,
        "recipients": 2,
        "warnings": [],
    }
    (got,) = mailbox.received
    assert got.message["Subject"].strip() == "Requested report Keys _ _locks_ from House of Keys"
    (attached,) = got.message.iter_attachments()
    assert (attached.get_content_type(), attached.get_payload(decode=True)) == ("application/pdf", b"%PDF-1.7 hello")


def test_the_same_request_is_mailed_once_and_another_again(acme, mailbox):
    assert send(acme, mail_form(), request_key="7")["status"] == "ok"
    assert send(acme, mail_form(), request_key="7")["status"] == "duplicate"
    assert send(acme, mail_form(), request_key="8")["status"] == "ok"
    assert send(acme, mail_form())["status"] == "ok"
    assert send(acme, mail_form())["status"] == "duplicate"
    assert send(acme, mail_form(to_addr=["d@acme.example"]))["status"] == "ok"

    assert len(mailbox.received) == 4
    run_jobs("reports")
    assert ReportHistory.objects.filter(client_id=acme.id).count() == 4


def test_dying_between_sending_and_marking_repeats_the_mail_under_the_same_id(acme, mailbox):
    send(acme, mail_form(), request_key="7")
    TaskEffect.objects.filter(key="report-mail:7").update(
        status="reserved", done_at=None, lease_until=NOON - timedelta(days=9_000)
    )

    send(acme, mail_form(), request_key="7")

    assert len(mailbox.received) == 2
    assert len({got.message["Message-ID"] for got in mailbox.received}) == 1
    run_jobs("reports")
    assert ReportHistory.objects.count() == 1


@pytest.mark.parametrize(
    ("given", "content", "words"),
    [
        (mail_form(), "not json", "json_report is no JSON object"),
        (mail_form(), "[]", "json_report is no JSON object"),
        (mail_form(), "{}", "json_report is no JSON object"),
        (mail_form(), '{"report": 5}', "json_report is no JSON object"),
        (mail_form(), '{"report": "%%%"}', "json_report is no JSON object"),
        (mail_form(), '{"report": ""}', "the report is empty"),
        (mail_form(), 5, "json_report is 5; right is text"),
        (mail_form(to_addr=[]), packed(), "at least one e-mail address"),
        (mail_form(to_addr=["nobody"]), packed(), "at least one e-mail address"),
        (mail_form(format="exe"), packed(), "format is 'exe'"),
        ("formdata", packed(), "right is an object"),
    ],
)
def test_bad_input_of_a_mail(acme, mailbox, given, content, words):
    with pytest.raises(BadInput, match=words), tenant(acme.id):
        send_report_on_email.func(formdata=given, json_report=content)

    assert mailbox.received == []


def test_a_mail_server_that_is_down_is_transient_and_the_history_waits(acme, no_mail_server, request):
    with pytest.raises(Transient):
        send(acme, mail_form(), request_key="7")
    assert enqueued() == []

    mailbox = request.getfixturevalue("mailbox")
    assert send(acme, mail_form(), request_key="7")["status"] == "ok"
    assert len(mailbox.received) == 1


def test_a_mail_that_fails_for_good_is_in_the_history(acme, site, asker, work, no_mail_server, settings):
    settings.YOUTILITY_TASKS = {**settings.YOUTILITY_TASKS, "retry_delay_factor": 0}
    enqueue(acme, send_form(site), asker)

    run_jobs()

    (row,) = histories(acme)
    assert (row.export_type, row.user_id, row.bu_id, row.has_data) == ("EMAIL", asker.pk, site.pk, True)
    assert "Unreachable" in row.traceback
    assert Job.objects.dead_letters().get().task_name == "send_report_on_email"


def ended() -> list[TaskExecutionHistory]:
    return list(TaskExecutionHistory.objects.order_by("started_at", "id"))


def test_the_inline_arguments_hold_no_secrets_of_the_form(acme, site, asker, work):
    make(acme, send_form(site, password="x", nested={"api_key": "y", "kept": 1}), asker)

    (job,) = enqueued("send_report_on_email")
    given = arguments(job)["formdata"]
    assert "password" not in given
    assert given["nested"] == {"kept": 1}


def test_a_huge_form_does_not_keep_its_report_from_being_told(acme, site, asker, work, settings):
    settings.TASK_CATALOG = {**settings.TASK_CATALOG, "report_inline_bytes": 1}
    make(acme, send_form(site, note="x" * 240_000), asker)

    run_jobs("reports")
    with tenant(acme.id):
        from task_catalog.reporting.telling import tell
        from task_catalog.reports.on_demand import request_of_job

        (job,) = enqueued("send_generated_report_onfly_email")
        asked = send_form(site, note="x" * 240_000)
        tell(request_of_job(77, {"formdata": asked, "user_id": asker.pk}), trouble=("E", "m" * 9_000, "t" * 90_000))
    run_jobs("reports")
    (row,) = histories(acme)
    assert (row.report_name, len(row.traceback), "note" in row.params) == ("TASKSUMMARY", 20_000, False)
    assert job.pk


def test_files_are_never_world_readable(acme, site, asker, work, folders):
    before = os.umask(0)
    try:
        make(acme, form("TASKSUMMARY", site), asker)
    finally:
        os.umask(before)

    for path in [*folders.files(), *folders.on_demand.rglob("*"), folders.on_demand]:
        assert stat.S_IMODE(path.stat().st_mode) & 0o007 == 0
