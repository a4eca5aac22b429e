"""The four "please decide" mails on a real database, a real mail server and real PDFs."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from task_catalog import replies
from task_catalog.email import work_permits as tasks
from task_catalog.facility.models import People, Wom
from task_catalog.ports import pdf
from task_catalog.replies import Reply
from tests.catalog.permits.quick_pdf import QuickPdf
from tests.catalog.permits.world import (
    SECTIONS,
    change,
    decide,
    pdf_of,
    recipients,
    run_for,
    subjects,
    text_of,
)
from youtility_tasks import BadInput, NotReady, Transient, effects, tenant
from youtility_tasks.models import TaskEffect

APPROVAL = tasks.send_email_notification_for_workpermit_approval
WEB = tasks.send_email_notification_for_wp_verifier
MOBILE = tasks.send_email_notification_for_wp_from_mobile_for_verifier
LEGACY = tasks.send_email_notification_for_wp
FOUR = {"approval": APPROVAL, "web": WEB, "mobile": MOBILE, "legacy": LEGACY}
KEYS = {"status", "permit_no", "messages", "recipients", "warnings"}


@pytest.fixture(params=FOUR)
def asking(request) -> Any:
    """Each of the four tasks in turn."""
    return FOUR[request.param]


@pytest.fixture
def verified(permit) -> Wom:
    """A permit that both verifiers have accepted."""
    decide(permit, "wp_verifiers", V1="APPROVED", V2="APPROVED")
    return change(permit, verifiers_status="APPROVED")


def ready_for(task: Any, permit: Wom) -> Wom:
    return change(permit, verifiers_status="PENDING" if task in (WEB, MOBILE) else "APPROVED")


def test_each_verifier_of_a_web_permit_gets_a_message_of_his_own_with_the_permit(acme, permit, mailbox, real_pdf):
    result = run_for(acme, WEB, womid=permit.pk)

    assert result == {"status": "ok", "permit_no": 7, "messages": 2, "recipients": 2, "warnings": []}
    assert recipients(mailbox) == sorted(acme.staff[code].email for code in ("V1", "V2"))
    assert all(len(each.recipients) == 1 for each in mailbox.received)
    assert subjects(mailbox) == {f"Cold Work Permit 7, {acme.place.buname}: verification needed"}
    name, document = pdf_of(mailbox.received[0])
    assert name == f"cold-work-permit-7-acme-site-1-{permit.pk}.pdf"
    text = text_of(document)
    for words in ("Cold Work Permit 7", acme.place.buname, "Build & Sons", "Hall 3", "Fire watch <posted>", "PENDING"):
        assert words in text
    assert "03-Mar-2025 05:30" in text  # the last change, in the site's wall clock
    assert "gate@guard.example" not in text


def test_the_body_has_the_facts_in_text_and_html(acme, permit, mailbox):
    run_for(acme, WEB, womid=permit.pk)

    got = mailbox.received[0]
    for line in (
        "Permit: Cold Work Permit",
        "Number: 7",
        f"Site: {acme.place.buname}",
        "Vendor: Build & Sons",
        "Status: PENDING",
    ):
        assert line in got.text
    assert "Build &amp; Sons" in got.html
    assert 'style="' in got.html
    assert "Dear Person V" in got.text


def test_approvers_are_asked_once_all_verifiers_have_accepted(acme, verified, mailbox, real_pdf):
    result = run_for(acme, APPROVAL, womid=verified.pk)

    assert (result["messages"], result["recipients"]) == (2, 2)
    assert recipients(mailbox) == sorted(acme.staff[code].email for code in ("A1", "A2"))
    assert subjects(mailbox) == {f"Cold Work Permit 7, {acme.place.buname}: approval needed"}
    assert "Person V1, Person V2" in text_of(pdf_of(mailbox.received[0])[1])


def test_the_old_way_asks_approvers_under_the_general_name_and_without_a_document(acme, permit, mailbox):
    result = run_for(
        acme, LEGACY, womid=permit.pk, qsetid=5, approvers=["A1", "A2"], client_id=acme.id, bu_id=acme.place.pk
    )

    assert (result["messages"], result["warnings"]) == (2, [])
    assert subjects(mailbox) == {f"General Work Permit 7, {acme.place.buname}: approval needed"}
    assert [list(each.message.iter_attachments()) for each in mailbox.received] == [[], []]


def test_web_and_mobile_announce_a_permit_once_between_them(acme, permit, mailbox):
    run_for(acme, WEB, womid=permit.pk)

    result = run_for(acme, MOBILE, womid=permit.pk)

    assert (result["status"], result["messages"]) == ("duplicate", 0)
    assert Counter(each.effect for each in mailbox.received) == {
        f"wp:{permit.pk}:verify:{acme.staff[code].pk}": 1 for code in ("V1", "V2")
    }


def test_each_question_of_a_permit_has_effect_keys_of_its_own(acme, permit, mailbox):
    for task in (WEB, APPROVAL, LEGACY):
        ready_for(task, permit)
        run_for(acme, task, womid=permit.pk)

    assert {each.effect.split(":")[2] for each in mailbox.received} == {
        "verify",
        "approval",
        "legacy",
    }
    assert len({each.message["Message-ID"] for each in mailbox.received}) == 6


def test_the_links_answer_for_this_person_and_permit_alone(acme, permit, mailbox):
    run_for(acme, WEB, womid=permit.pk, verifiers=["V1"])

    (got,) = mailbox.received
    accept, reject = re.findall(r"https://app\.house\.example\S+", got.text)
    for link, action in ((accept, "accepted"), (reject, "rejected")):
        base, _, query = link.partition("?")
        asked = dict(part.split("=", 1) for part in query.split("&"))
        assert base == "https://app.house.example/work_order_management/reply_workpermit/"
        assert replies.read({"token": asked["token"].replace("%3A", ":")}, step="verify") == Reply(
            step="verify", womid=str(permit.pk), peopleid=acme.staff["V1"].pk, client_id=acme.id, action=action
        )
        assert link.replace("&", "&amp;") in got.html


def test_only_who_has_not_decided_is_asked(acme, permit, mailbox):
    decide(permit, "wp_verifiers", V1="APPROVED")

    result = run_for(acme, WEB, womid=permit.pk, verifiers=["V1", "V2", "A1"])

    assert recipients(mailbox) == [acme.staff["V2"].email]
    assert result["warnings"] == ["'V1' has decided already", "'A1' is not asked to decide on this"]


def test_nothing_is_left_to_ask_when_everyone_has_decided(acme, permit, mailbox):
    decide(permit, "wp_verifiers", V1="APPROVED", V2="APPROVED")

    result = run_for(acme, WEB, womid=permit.pk)

    assert (result["status"], result["reason"]) == ("skipped", "everyone who was to be asked has decided")
    assert mailbox.received == []


@pytest.mark.parametrize(
    "columns",
    [
        {"workstatus": "CANCELLED"},
        {"workpermit": "REJECTED"},
        {"workpermit": "APPROVED"},
        {"verifiers_status": "REJECTED"},
    ],
)
def test_a_decided_permit_is_skipped_by_all_four(acme, permit, mailbox, asking, columns):
    change(ready_for(asking, permit), **columns)

    result = run_for(acme, asking, womid=permit.pk)

    assert result.keys() == KEYS | {"reason"}
    assert (result["status"], result["messages"]) == ("skipped", 0)
    assert mailbox.received == []


def test_a_permit_without_answers_is_waited_for_by_all_four(acme, mailbox, asking):
    permit = ready_for(asking, acme.permit(sections={}))

    with pytest.raises(NotReady, match="no answers"):
        run_for(acme, asking, womid=permit.pk, attempt=5)


def test_approvers_are_not_asked_before_the_verifiers_are_done(acme, permit, mailbox):
    with pytest.raises(NotReady, match="not every verifier"):
        run_for(acme, APPROVAL, womid=permit.pk)

    assert mailbox.received == []


@pytest.mark.parametrize("womid", [None, 0, -3, True, "7", 999_999])
def test_a_permit_that_is_none_is_bad_input(acme, asking, womid):
    with pytest.raises(BadInput, match="permit"):
        run_for(acme, asking, womid=womid)


def test_another_clients_permit_is_unknown(acme, globex, permit, mailbox, asking):
    theirs = ready_for(asking, globex.permit())

    with pytest.raises(BadInput, match="no work permit"):
        run_for(acme, asking, womid=theirs.pk)
    with pytest.raises(BadInput, match="client_id"):
        run_for(acme, asking, womid=permit.pk, client_id=globex.id)

    assert mailbox.received == []


def test_a_score_or_a_section_is_no_permit(acme, permit, asking):
    section = Wom.objects.filter(parent=permit).first()
    for other in (acme.score().pk, section.pk):
        with pytest.raises(BadInput, match="no work permit"):
            run_for(acme, asking, womid=other)


def test_another_site_than_the_permits_is_bad_input(acme, permit):
    with pytest.raises(BadInput, match="bu_id"):
        run_for(acme, LEGACY, womid=permit.pk, bu_id=acme.site("2").pk)


@pytest.mark.parametrize("codes", ["V1", [1], {"V1": 1}])
def test_codes_that_are_no_list_of_text_are_bad_input(acme, permit, codes):
    with pytest.raises(BadInput, match="people codes"):
        run_for(acme, WEB, womid=permit.pk, verifiers=codes)


def test_d22_a_code_that_only_another_client_has_is_unknown_and_nobody_left_is_bad_input(acme, globex, permit, mailbox):
    People.objects.filter(pk=acme.staff["V1"].pk).update(enable=False)
    assert run_for(acme, WEB, womid=permit.pk)["warnings"] == ["no enabled person of this client has the code 'V1'"]
    assert recipients(mailbox) == [acme.staff["V2"].email]

    People.objects.filter(pk=acme.staff["V2"].pk).update(email="nowhere")
    with pytest.raises(BadInput, match=r"nobody to ask.*'V1'.*'nowhere'"):
        run_for(acme, WEB, womid=permit.pk)
    with pytest.raises(BadInput, match=r"nobody to ask"):
        run_for(acme, WEB, womid=permit.pk, verifiers=["A1"])


def test_d22_namesakes_of_another_client_and_of_another_site_get_nothing(acme, globex, permit, mailbox):
    elsewhere = acme.site("2")
    same_code = acme.called("V1", elsewhere, peoplename="Somebody else")

    result = run_for(acme, WEB, womid=permit.pk)

    ours = sorted(acme.staff[code].email for code in ("V1", "V2"))
    assert (recipients(mailbox), result["warnings"]) == (ours, [])
    assert same_code.email not in ours
    assert not set(ours) & {person.email for person in globex.staff.values()}


def test_d22_of_people_with_one_code_and_one_name_the_one_of_the_site_is_meant_and_of_several_nobody(
    acme, permit, mailbox
):
    here = acme.called("V1", acme.place)
    there = acme.called("V1", acme.site("2"))
    run_for(acme, WEB, womid=permit.pk, verifiers=["V1"])
    assert recipients(mailbox) == [here.email]

    People.objects.filter(pk=here.pk).delete()
    People.objects.filter(pk=acme.staff["V1"].pk).update(bu=acme.site("3"))
    with pytest.raises(BadInput, match="2 people of this client have the code 'V1'"):
        run_for(acme, WEB, womid=permit.pk, verifiers=["V1"])
    assert there.email not in recipients(mailbox)


def test_the_database_wins_over_what_the_call_site_said(acme, permit, mailbox):
    result = run_for(
        acme,
        WEB,
        womid=permit.pk,
        sitename="Another site",
        workpermit_status="APPROVED",
        permit_name="Hot Work Permit",
        vendor_name="Build & Sons",
        client_id=acme.id,
        workpermit_attachment="/etc/passwd",
    )

    assert [word.partition(" was given")[0] for word in result["warnings"]] == [
        "sitename",
        "workpermit_status",
        "permit_name",
    ]
    assert subjects(mailbox) == {f"Cold Work Permit 7, {acme.place.buname}: verification needed"}


def test_d23_two_permits_of_one_number_have_documents_of_their_own(acme, globex, mailbox, real_pdf):
    for company, hall in ((acme, "Hall of acme"), (globex, "Hall of globex")):
        permit = company.permit(sections={**SECTIONS, "Place of work": (hall,)})
        run_for(company, WEB, womid=permit.pk, workpermit_attachment="/tmp/cold-work-permit-7.pdf")  # noqa: S108

    documents = {each.recipients[0]: pdf_of(each) for each in mailbox.received}
    assert len({name for name, _ in documents.values()}) == 2
    for address, (_, document) in documents.items():
        text = text_of(document)
        assert ("Hall of acme" in text) == address.endswith("@acme.example")
        assert ("Hall of globex" in text) == address.endswith("@globex.example")


def test_d23_a_permit_whose_section_carries_a_number_keeps_its_own(acme, permit, mailbox):
    Wom.objects.filter(parent=permit).update(other_data={"wp_seqno": 1})

    run_for(acme, WEB, womid=permit.pk)

    assert "cold-work-permit-7-" in pdf_of(mailbox.received[0])[0]


def test_a_second_run_is_a_duplicate_and_makes_no_document(acme, permit, mailbox):
    run_for(acme, WEB, womid=permit.pk)
    QuickPdf.made.clear()

    again = run_for(acme, WEB, womid=permit.pk)

    assert (again["status"], again["messages"], again["recipients"]) == ("duplicate", 0, 2)
    assert (len(mailbox.received), QuickPdf.made) == (2, [])


def test_dying_between_sending_and_marking_repeats_one_mail_under_the_same_id(acme, permit, mailbox):
    run_for(acme, WEB, womid=permit.pk)
    effect = TaskEffect.objects.filter(key=f"wp:{permit.pk}:verify:{acme.staff['V1'].pk}")
    effect.update(status="reserved", done_at=None, lease_until="2999-01-01T00:00Z")
    with pytest.raises(NotReady):
        run_for(acme, WEB, womid=permit.pk)

    effect.update(lease_until="2001-01-01T00:00Z")
    result = run_for(acme, WEB, womid=permit.pk)

    assert (result["status"], result["messages"]) == ("ok", 1)
    assert len(mailbox.received) == 3
    assert len({each.message["Message-ID"] for each in mailbox.received}) == 2


def test_one_who_is_refused_for_good_holds_up_nobody(acme, permit, mailbox):
    mailbox.on_recipient[acme.staff["V1"].email] = "550 no such user"

    result = run_for(acme, WEB, womid=permit.pk)

    assert (result["messages"], recipients(mailbox)) == (1, [acme.staff["V2"].email])
    assert any("550 no such user" in word for word in result["warnings"])


@pytest.mark.parametrize("answer", ["450 mailbox busy", "421 shutting down"])
def test_one_who_is_refused_for_now_is_asked_by_the_next_attempt_and_the_others_are_not_asked_twice(
    acme, permit, mailbox, answer
):
    mailbox.on_recipient[acme.staff["V1"].email] = answer
    with pytest.raises(Transient, match=answer[:3]):
        run_for(acme, WEB, womid=permit.pk)
    assert recipients(mailbox) == [acme.staff["V2"].email]

    mailbox.on_recipient.clear()
    assert run_for(acme, WEB, womid=permit.pk, attempt=2)["messages"] == 1
    assert recipients(mailbox) == sorted(acme.staff[code].email for code in ("V1", "V2"))


def test_all_refused_for_good_is_bad_input_and_nothing_is_marked(acme, permit, mailbox):
    mailbox.on_recipient = dict.fromkeys([person.email for person in acme.staff.values()], "550 no such user")

    with pytest.raises(BadInput, match="550"):
        run_for(acme, WEB, womid=permit.pk)

    with tenant(acme.id):
        assert not effects.is_done(f"wp:{permit.pk}:verify:{acme.staff['V1'].pk}")


def test_a_mail_server_that_is_down_or_drops_after_data_or_lets_us_wait_is_transient(
    acme, permit, no_mail_server, request, settings
):
    with pytest.raises(Transient):
        run_for(acme, WEB, womid=permit.pk)
    mailbox = request.getfixturevalue("mailbox")
    mailbox.after_data = "drop"
    with pytest.raises(Transient):
        run_for(acme, WEB, womid=permit.pk, attempt=2)
    settings.TASK_CATALOG = {**settings.TASK_CATALOG, "mail_timeout_s": 0.2}
    mailbox.after_data, mailbox.tarpit_s = "250 taken", 1
    with pytest.raises(Transient, match="timed out"):
        run_for(acme, WEB, womid=permit.pk, attempt=3)

    mailbox.tarpit_s = 0
    assert run_for(acme, WEB, womid=permit.pk, attempt=4)["messages"] == 2
    assert len({each.message["Message-ID"] for each in mailbox.received}) == 2


def test_a_document_that_cannot_be_made_in_time_is_transient_and_tried_once(acme, permit, mailbox, monkeypatch):
    tries: list[str] = []

    def too_slow(html: str, *, timeout_s: float) -> bytes:
        tries.append(html)
        raise pdf.RenderTimeout("too slow")

    monkeypatch.setattr("task_catalog.documents.pdf.render", too_slow)

    with pytest.raises(Transient, match="too slow"):
        run_for(acme, WEB, womid=permit.pk)

    assert (len(tries), mailbox.received) == (1, [])


def test_d47_a_longer_permit_with_more_verifiers_asks_the_database_no_more_than_the_ledger_needs(acme, mailbox):
    def statements(permit: Wom) -> list[str]:
        with CaptureQueriesContext(
            connection,
        ) as caught:
            run_for(acme, WEB, womid=permit.pk)
        return [each["sql"] for each in caught if "taskeffect" not in each["sql"].lower()]

    few = statements(acme.permit())
    for code in ("V3", "V4", "V5"):
        acme.called(code)
    many = acme.permit(
        sections={**SECTIONS, **{f"Section {n}": tuple(f"answer {i}" for i in range(20)) for n in range(6)}},
        other_data={"wp_verifiers": [acme.item(f"V{n}", "VERIFIER") for n in range(1, 6)]},
    )

    assert len(statements(many)) == len(few) == 4


def test_d48_a_document_that_cannot_be_made_fails_the_job_and_no_mail_leaves_without_it(
    acme, permit, mailbox, monkeypatch
):
    def broken(html: str, *, timeout_s: float) -> bytes:
        raise pdf.RenderFailed("weasyprint ended with 1")

    monkeypatch.setattr("task_catalog.documents.pdf.render", broken)

    with pytest.raises(pdf.RenderFailed):
        run_for(acme, WEB, womid=permit.pk)

    assert mailbox.received == []


def test_an_adopter_can_override_the_document(acme, permit, mailbox, settings, tmp_path):
    folder = tmp_path / "task_catalog" / "pdf"
    folder.mkdir(parents=True)
    (folder / "permit.html").write_text("Our own form: {{ title }} for {{ vendor }}")
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]

    run_for(acme, WEB, womid=permit.pk)

    assert pdf_of(mailbox.received[0])[1] == b"%PDF-Our own form: Cold Work Permit for Build &amp; Sons"
