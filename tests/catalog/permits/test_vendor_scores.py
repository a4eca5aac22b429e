"""The mails of a vendor's monthly score on a real database, a real mail server and real PDFs."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from task_catalog import replies
from task_catalog.email.vendors import send_email_notification_for_sla_report as REPORT
from task_catalog.email.vendors import send_email_notification_for_sla_vendor as VENDOR
from task_catalog.facility.models import Vendor, Wom, WomDetails
from task_catalog.replies import Reply
from tests.catalog.closing.world import START
from tests.catalog.permits.world import EXAMPLE, change, decide, pdf_of, recipients, run_for, subjects, text_of
from youtility_tasks import BadInput, NotReady, Transient
from youtility_tasks.models import TaskEffect


@pytest.fixture
def form(acme) -> Wom:
    """A score of acme's vendor, made on the 3rd of March 2025."""
    return acme.score()


@pytest.fixture
def approved(acme, form) -> Wom:
    run_for_report = {"overall_score": 82.67, "remarks": "Good month"}
    Wom.objects.filter(pk=form.pk).update(workpermit="APPROVED", other_data={**form.other_data, **run_for_report})
    return decide(form, "wp_approvers", A1="APPROVED", A2="APPROVED")


def ask(company: Any, form: Wom, *, attempt: int = 1, **changes: Any) -> dict[str, Any]:
    return run_for(
        company, REPORT, attempt=attempt, **{"slaid": form.pk, "sitename": f"{company.name} site 1", **changes}
    )


def send(company: Any, form: Wom, *, attempt: int = 1, **changes: Any) -> dict[str, Any]:
    given = {"wom_id": str(form.uuid), "report_attachment": None, "sitename": f"{company.name} site 1", **changes}
    return run_for(company, VENDOR, attempt=attempt, **given)


def test_the_score_is_stored_and_each_approver_gets_a_message_with_the_report(acme, form, mailbox, real_pdf):
    result = ask(acme, form)

    assert result == {"status": "ok", "report_no": 3, "score": 82.67, "messages": 2, "recipients": 2, "warnings": []}
    form.refresh_from_db()
    assert (form.other_data["overall_score"], form.other_data["remarks"]) == (82.67, "Good month")
    assert (form.other_data["uptime_score"], form.other_data["wp_seqno"], form.mdtz) == ("99.5", 3, START)
    assert recipients(mailbox) == sorted(acme.staff[code].email for code in ("A1", "A2"))
    assert subjects(mailbox) == {"acme site 1: score of Build & Sons, February 2025 - approval needed"}
    name, document = pdf_of(mailbox.received[0])
    assert name == f"score-build-sons-february-2025-acme-site-1-{form.pk}.pdf"
    text = text_of(document)
    for words in (
        "82.67",
        "Build & Sons, February 2025",
        "WORK SAFETY",
        "7.33",
        "20 %",
        "Good month",
        "Person A1, Person A2",
    ):
        assert words in text


def test_the_body_has_the_facts_and_links_with_the_forms_uuid(acme, form, mailbox):
    ask(acme, form)

    got = mailbox.received[0]
    for line in (
        "Report: Monthly Vendor Report",
        "Site: acme site 1",
        "Vendor: Build & Sons",
        "Service month: February 2025",
        "Status: PENDING",
    ):
        assert line in got.text
    (person,) = [each for each in acme.staff.values() if each.email == got.recipients[0]]
    for link, action in zip(re.findall(r"https://\S+", got.text), ("accepted", "rejected"), strict=True):
        assert urlsplit(link).path == "/work_order_management/reply_sla/"
        query = dict(parse_qsl(urlsplit(link).query))
        assert query["womid"] == str(form.uuid)
        assert replies.read(query, step="sla") == Reply(
            step="sla", womid=str(form.uuid), peopleid=person.pk, client_id=acme.id, action=action
        )


def test_d25_the_score_is_stored_once_whatever_the_answers_become(acme, form, mailbox):
    ask(acme, form)
    WomDetails.objects.filter(wom__parent=form, wom__description="CPI").update(answer="0")
    acme.called("A3")
    Wom.objects.filter(pk=form.pk).update(
        other_data={**Wom.objects.get(pk=form.pk).other_data, "wp_approvers": [acme.item("A3", "APPROVER")]}
    )

    again = ask(acme, form)

    assert (again["score"], again["messages"]) == (82.67, 1)
    assert any("the stored score is 82.67" in word for word in again["warnings"])
    assert Wom.objects.get(pk=form.pk).other_data["overall_score"] == 82.67


@pytest.mark.parametrize(
    ("made", "offset", "month", "shown"),
    [
        (datetime(2025, 1, 5, tzinfo=UTC), 0, None, "December 2024"),
        (datetime(2025, 3, 3, tzinfo=UTC), 0, "December", "December 2024"),
        (datetime(2025, 3, 3, tzinfo=UTC), 0, "January", "January 2025"),
        (datetime(2025, 2, 28, 20, tzinfo=UTC), 330, None, "February 2025"),  # already March there
        (datetime(2025, 3, 1, 2, tzinfo=UTC), -300, None, "January 2025"),  # still February there
    ],
)
def test_d25_the_service_month_is_that_of_the_form_in_its_own_time(acme, mailbox, made, offset, month, shown):
    form = acme.score(cdtz=made, ctzoffset=offset, other_data={} if month is None else {"month": month})

    ask(acme, form)

    assert subjects(mailbox) == {f"acme site 1: score of Build & Sons, {shown} - approval needed"}


def test_a_year_has_no_separator_whatever_the_settings_say(acme, form, mailbox, settings):
    settings.USE_THOUSAND_SEPARATOR = True

    ask(acme, form)

    (subject,) = subjects(mailbox)
    assert "2,0" not in subject
    assert "2025" in subject


def test_the_report_lists_the_twelve_months_before_of_this_vendor_and_site_alone(acme, globex, form, mailbox, real_pdf):
    def made(months: int, score: float, **columns: Any) -> Wom:
        at = START.replace(day=15) - timedelta(days=round(months * 30.44))
        facts = {"workpermit": "APPROVED", "cdtz": at, **columns}
        return acme.score(sections={}, other_data={"overall_score": score}, **facts)

    made(1, 61.11)
    made(12, 62.22)
    made(13, 40.01)  # thirteen months ago
    made(2, 40.02, workpermit="PENDING")
    made(2, 40.03, workpermit="REJECTED")
    made(3, 40.04, vendor=acme.new_vendor(name="Another"))
    made(3, 40.05, bu=acme.site("2"))
    globex.score(
        sections={}, workpermit="APPROVED", cdtz=START - timedelta(days=20), other_data={"overall_score": 40.06}
    )

    ask(acme, form)

    text = text_of(pdf_of(mailbox.received[0])[1])
    assert "61.11" in text
    assert "62.22" in text
    assert "40.0" not in text
    assert "Jan 2025" in re.sub(r"\s+", " ", text)


def test_d47_a_long_form_with_more_approvers_and_a_long_past_asks_the_database_no_more(acme, mailbox):
    def statements(form: Wom) -> int:
        with CaptureQueriesContext(connection) as caught:
            ask(acme, form)
        return len([each for each in caught if "taskeffect" not in each["sql"].lower()])

    few = statements(acme.score())
    for code in ("A3", "A4"):
        acme.called(code)
    for month in range(1, 13):
        acme.score(
            sections={},
            workpermit="APPROVED",
            cdtz=START - timedelta(days=30 * month),
            other_data={"overall_score": 50 + month},
        )
    many = acme.score(
        sections={**EXAMPLE, "CPI": tuple("8" * 30)},
        other_data={"wp_approvers": [acme.item(f"A{n}", "APPROVER") for n in range(1, 5)]},
    )

    assert statements(many) == few


@pytest.mark.parametrize(
    "columns", [{"workpermit": "APPROVED"}, {"workpermit": "REJECTED"}, {"workstatus": "CANCELLED"}]
)
def test_a_decided_score_asks_nobody_and_stores_nothing(acme, form, mailbox, columns):
    change(form, **columns)

    result = ask(acme, form)

    assert (result["status"], result["messages"], result["score"]) == ("skipped", 0, None)
    assert mailbox.received == []
    assert "overall_score" not in Wom.objects.get(pk=form.pk).other_data


def test_only_who_has_not_decided_is_asked(acme, form, mailbox):
    decide(form, "wp_approvers", A1="APPROVED")

    ask(acme, form)
    decide(form, "wp_approvers", A2="APPROVED")
    result = ask(acme, form)

    assert recipients(mailbox) == [acme.staff["A2"].email]
    assert (result["status"], result["reason"]) == ("skipped", "every approver has decided")


def test_a_form_without_sections_is_waited_for(acme, mailbox):
    with pytest.raises(NotReady, match="no sections"):
        ask(acme, acme.score(sections={}))


def test_a_form_of_nobodys_approval_is_bad_input(acme, form, mailbox):
    Wom.objects.filter(pk=form.pk).update(other_data={"wp_approvers": [acme.item("X9", "APPROVER")]})

    with pytest.raises(BadInput, match=r"nobody to ask.*'X9'"):
        ask(acme, form)


@pytest.mark.parametrize("slaid", [None, 0, True, "7", 999_999])
def test_a_score_that_is_none_is_bad_input(acme, form, slaid):
    with pytest.raises(BadInput, match="vendor score"):
        ask(acme, form, slaid=slaid)


def test_a_permit_is_no_score_and_another_clients_score_is_unknown(acme, globex, permit, mailbox):
    for other in (permit, globex.score()):
        with pytest.raises(BadInput, match="no vendor score"):
            ask(acme, other)
        with pytest.raises(BadInput, match="no vendor score"):
            send(acme, other)

    assert mailbox.received == []


def test_d22_scores_of_two_clients_with_the_same_codes_reach_their_own_approvers(acme, globex, mailbox, real_pdf):
    for company in (acme, globex):
        ask(company, company.score())

    for got in mailbox.received:
        name = got.recipients[0].partition("@")[2].partition(".")[0]
        assert f"Site: {name} site 1" in got.text
        assert f"{name} site 1" in text_of(pdf_of(got)[1])


def test_a_second_run_is_a_duplicate(acme, form, mailbox):
    ask(acme, form)

    again = ask(acme, form)

    assert (again["status"], again["messages"], again["score"]) == ("duplicate", 0, 82.67)
    assert len(mailbox.received) == 2


def test_dying_between_sending_and_marking_repeats_the_mail_under_the_same_id(acme, form, approved, mailbox):
    send(acme, approved)
    TaskEffect.objects.filter(key=f"sla-vendor:{form.uuid}").update(
        status="reserved", done_at=None, lease_until="2001-01-01T00:00Z"
    )

    assert send(acme, approved)["sent"]

    assert len(mailbox.received) == 2
    assert len({each.message["Message-ID"] for each in mailbox.received}) == 1


def test_the_vendor_gets_his_approved_score_with_the_approvers_in_copy(acme, approved, mailbox, real_pdf):
    result = send(acme, approved, report_attachment="/etc/passwd")

    assert result == {"status": "ok", "report_no": 3, "score": 82.67, "sent": True, "warnings": []}
    (got,) = mailbox.received
    assert got.message["To"] == "office@build.example"
    assert set(got.recipients) == {"office@build.example", acme.staff["A1"].email, acme.staff["A2"].email}
    assert subjects(mailbox) == {"acme site 1: score of Build & Sons, February 2025"}
    assert got.effect == f"sla-vendor:{approved.uuid}"
    for line in (
        "Report: Monthly Vendor Report",
        "Service month: February 2025",
        "Approvers: Person A1, Person A2",
        "82.67",
    ):
        assert line in got.text
    text = text_of(pdf_of(got)[1])
    assert "82.67" in text
    assert "APPROVED" in text
    assert "https://" not in got.text
    assert send(acme, approved)["status"] == "duplicate"


def test_a_score_that_is_not_approved_is_waited_for_twice_and_then_skipped(acme, form, mailbox):
    for attempt in (1, 2):
        with pytest.raises(NotReady, match="not APPROVED"):
            send(acme, form, attempt=attempt)

    result = send(acme, form, attempt=3)

    assert (result["status"], result["sent"]) == ("skipped", False)
    assert mailbox.received == []


@pytest.mark.parametrize("wom_id", [None, 7, "", "7", "not-a-uuid", str(uuid.UUID(int=0))])
def test_a_uuid_that_is_none_or_unknown_is_bad_input(acme, approved, wom_id):
    with pytest.raises(BadInput, match="vendor score"):
        send(acme, approved, wom_id=wom_id)


def test_a_vendor_without_an_address_or_of_another_client_is_bad_input(acme, globex, approved, mailbox):
    Vendor.objects.filter(pk=acme.vendor.pk).update(email="nowhere")
    with pytest.raises(BadInput, match="no valid address"):
        send(acme, approved)
    change(approved, vendor=globex.vendor)
    with pytest.raises(BadInput, match="no valid address"):
        send(acme, approved)

    assert mailbox.received == []


def test_a_refusal_for_now_is_transient_and_one_for_good_is_bad_input(acme, approved, mailbox):
    everyone = ["office@build.example", *(person.email for person in acme.staff.values())]
    mailbox.on_recipient = dict.fromkeys(everyone, "421 later")
    with pytest.raises(Transient, match="421"):
        send(acme, approved)
    mailbox.on_recipient = dict.fromkeys(everyone, "550 never")
    with pytest.raises(BadInput, match="550"):
        send(acme, approved)


def test_a_score_that_was_never_stored_is_worked_out_for_the_vendors_mail(acme, form, mailbox):
    change(form, workpermit="APPROVED")

    result = send(acme, form)

    assert result["score"] == 82.67
    assert any("worked out again" in word for word in result["warnings"])
