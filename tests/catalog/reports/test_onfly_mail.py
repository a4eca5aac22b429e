"""send_generated_report_onfly_email: files that are mailed, on a real database, mail server and folder."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from pathlib import Path

import pytest

from task_catalog.email.reports import send_generated_report_onfly_email
from task_catalog.reporting import awaiting
from tests.catalog.closing.world import NONE, NOON
from tests.catalog.reports.world import form, histories, visits
from youtility_tasks import BadInput, Transient, tenant
from youtility_tasks.models import Job, TaskEffect
from youtility_tasks.testing import run_jobs

CONTENT = b"Site,Count\r\nGate,7\r\n"


@pytest.fixture
def report(acme, asker, folders):
    """A file that somebody else put into the folder."""
    path = folders.on_demand / str(acme.id) / str(asker.pk) / "KEYS.csv"
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT)
    return path


def send(company, path, **more):
    given = {"fromemail": "asker@acme.example", "to": ["b@acme.example"], "cc": None, "ctzoffset": 330, **more}
    with tenant(company.id):
        return send_generated_report_onfly_email.func(filepath=str(path), **given)


@pytest.mark.parametrize("relative", [True, False])
def test_a_file_is_mailed_and_deleted(acme, report, asker, folders, mailbox, relative):
    below = report.relative_to(folders.on_demand)

    result = send(acme, below if relative else report, fromemail=asker.email)

    assert result == {
        "status": "ok",
        "file": below.as_posix(),
        "recipients": 1,
        "deleted": True,
        "warnings": [],
    }
    (got,) = mailbox.received
    assert (
        got.message["X-Youtility-Effect"].strip() == f"onfly:{below.as_posix()}:{hashlib.sha256(CONTENT).hexdigest()}"
    )
    assert got.message["Subject"].strip() == "Your report KEYS.csv, 03-Mar-2025 17:30:00"
    (attached,) = got.message.iter_attachments()
    assert (attached.get_filename(), attached.get_payload(decode=True)) == ("KEYS.csv", CONTENT)
    assert not report.exists()
    run_jobs("reports")
    (row,) = histories(acme)
    assert (row.user_id, row.bu_id, row.export_type) == (asker.pk, asker.bu_id, "EMAIL")


def test_a_second_delivery_of_the_job_is_a_duplicate(acme, report, mailbox):
    send(acme, report)

    again = send(acme, report)

    assert (again["status"], again["deleted"]) == ("duplicate", True)
    assert len(mailbox.received) == 1
    run_jobs("reports")
    assert len(list(histories(acme))) == 1


def test_dying_after_the_mail_and_before_the_deletion_deletes_without_a_second_mail(acme, report, mailbox, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(awaiting, "release_file", lambda *args: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            send(acme, report)
    assert report.exists()

    again = send(acme, report)

    assert (again["status"], report.exists(), len(mailbox.received)) == ("duplicate", False, 1)
    run_jobs("reports")
    assert len(list(histories(acme))) == 1


def test_dying_between_sending_and_marking_repeats_the_mail_under_the_same_id(acme, report, mailbox, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(awaiting, "release_file", lambda *args: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            send(acme, report)
    TaskEffect.objects.filter(key__startswith="onfly:").update(
        status="reserved", done_at=None, lease_until=NOON - timedelta(days=9_000)
    )

    send(acme, report)

    assert len(mailbox.received) == 2
    assert len({got.message["Message-ID"] for got in mailbox.received}) == 1
    assert not report.exists()


def test_a_file_that_is_gone_and_was_never_mailed_is_bad_input(acme, report, mailbox):
    report.unlink()

    with pytest.raises(BadInput, match="is not there and was not mailed"):
        send(acme, report)


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "../../../etc/passwd",
        "1/../../../etc/passwd",
        "",
        ".",
        "\x00",
        "~/x",
        "file:///etc/passwd",
        "//etc/passwd",
    ],
)
def test_a_path_outside_the_folder_is_never_read(acme, report, mailbox, path):
    with pytest.raises(BadInput):
        send(acme, path)

    assert mailbox.received == []
    assert Path("/etc/passwd").exists()


def test_a_link_out_of_the_folder_is_not_followed(acme, report, folders, mailbox, tmp_path):
    secret = tmp_path / "secret.csv"
    secret.write_text("secret")
    link = report.with_name("LINK.csv")
    link.symlink_to(secret)
    inside = folders.on_demand / str(acme.id) / "linked"
    inside.symlink_to(tmp_path)

    for path in (link, inside / "secret.csv"):
        with pytest.raises(BadInput, match="is not in this client's report folder"):
            send(acme, path)
    assert secret.exists()


def test_a_folder_that_is_reached_through_a_link_of_the_installation_works(
    acme, report, mailbox, settings, folders, tmp_path
):
    (tmp_path / "alias").symlink_to(folders.on_demand)
    settings.TASK_CATALOG = {**settings.TASK_CATALOG, "ondemand_reports_folder": str(tmp_path / "alias")}
    path = tmp_path / "alias" / report.relative_to(folders.on_demand)

    assert send(acme, path)["status"] == "ok"


def test_another_clients_file_is_out_of_reach(acme, globex, report, mailbox):
    with pytest.raises(BadInput, match="is not in this client's report folder"):
        send(globex, report)

    assert report.exists()


def test_a_file_that_was_changed_after_it_was_made_is_not_mailed(acme, site, asker, folders, mailbox, settings):
    settings.TASK_CATALOG = {**settings.TASK_CATALOG, "report_inline_bytes": 1}
    visits(acme, site, "COMPLETED")
    from tests.catalog.reports.test_on_demand import make, send_form

    make(acme, send_form(site), asker)
    (path,) = folders.files()
    path.write_text("something else")

    with pytest.raises(BadInput, match="its content has changed"):
        send(acme, path)


@pytest.mark.parametrize("to", [[], ["nobody"], [""], None, "x", [5]])
def test_without_a_valid_recipient_it_is_bad_input(acme, report, mailbox, to):
    with pytest.raises(BadInput, match="e-mail address"):
        send(acme, report, to=to)

    assert report.exists()


def test_a_bad_address_beside_a_good_one_and_a_bad_sender_are_warnings(acme, report, mailbox):
    result = send(acme, report, to=["b@acme.example", "nobody"], cc=["c@acme.example"], fromemail="me\nBcc: x@y")

    assert set(mailbox.received[0].recipients) == {"b@acme.example", "c@acme.example"}
    assert mailbox.received[0].message["Reply-To"] is None
    assert len(result["warnings"]) == 2


def test_a_mail_that_cannot_leave_keeps_its_file(acme, report, no_mail_server):
    with pytest.raises(Transient):
        send(acme, report)

    assert report.exists()
    assert list(histories(acme)) == []


def test_a_mail_that_fails_for_good_is_told_and_its_file_is_left_to_cleanup(
    acme, site, asker, no_mail_server, folders, settings
):
    settings.TASK_CATALOG = {**settings.TASK_CATALOG, "report_inline_bytes": 1}
    settings.YOUTILITY_TASKS = {**settings.YOUTILITY_TASKS, "retry_delay_factor": 0}
    visits(acme, site, "COMPLETED")
    from tests.catalog.reports.test_on_demand import enqueue, send_form

    enqueue(acme, send_form(site), asker)
    run_jobs()

    (row,) = histories(acme)
    assert "Unreachable" in row.traceback
    assert (row.report_name, row.user_id) == ("TASKSUMMARY", asker.pk)
    (path,) = folders.files()
    with tenant(acme.id):
        assert awaiting.files_in(folders.on_demand, acme.id) == set()
    assert Job.objects.dead_letters().get().task_name == "send_generated_report_onfly_email"
    assert path.exists()


def test_a_path_that_cannot_be_meant_is_told_of_nobody_in_particular(acme, report):
    with tenant(acme.id):
        send_generated_report_onfly_email.enqueue(
            filepath="/etc/passwd", fromemail="x@y.example", to=["b@acme.example"], cc=None, ctzoffset=0
        )
    run_jobs()

    (row,) = histories(acme)
    assert (row.user_id, row.bu_id, row.report_name) == (NONE, acme.id, "/etc/passwd")


def test_the_form_of_a_request_is_known_to_its_mail(acme, site, asker, folders, mailbox, settings):
    """`form` is what the page sent; the history has it although the mail's job has not."""
    settings.TASK_CATALOG = {**settings.TASK_CATALOG, "report_inline_bytes": 1}
    visits(acme, site, "COMPLETED")
    from tests.catalog.reports.test_on_demand import enqueue

    asked = form("TASKSUMMARY", site, export_type="SEND", to_addr=["b@acme.example"], token="t")
    enqueue(acme, asked, asker)
    run_jobs()

    (row,) = histories(acme)
    assert row.params == {key: value for key, value in asked.items() if key != "token"}
