"""The three "for your information" mails on a real database, a real mail server and real PDFs."""

from __future__ import annotations

from typing import Any

import pytest

from task_catalog.email import work_permits as tasks
from task_catalog.facility.models import People, Vendor, Wom, WomDetails
from task_catalog.keys import digest
from tests.catalog.permits.world import SECTIONS, change, decide, pdf_of, recipients, run_for, subjects, text_of
from youtility_tasks import BadInput, NotReady, Transient, tenant
from youtility_tasks.models import Job, TaskEffect
from youtility_tasks.testing import run_jobs

CANCELLED = tasks.send_email_notification_for_vendor_and_security_of_wp_cancellation
RETURNED = tasks.send_email_notification_for_vendor_and_security_for_rwp
APPROVED = tasks.send_email_notification_for_vendor_and_security_after_approval
STATES = {
    CANCELLED.name: {"workstatus": "CANCELLED", "remarks": [{"people": "V2", "remarks": "storm"}]},
    RETURNED.name: {"workpermit": "APPROVED", "verifiers_status": "APPROVED", "workstatus": "COMPLETED"},
    APPROVED.name: {"workpermit": "APPROVED", "verifiers_status": "APPROVED", "workstatus": "INPROGRESS"},
}
MIDDLES = {CANCELLED.name: "cancel", RETURNED.name: "rwp", APPROVED.name: "approved"}
TOLD = ["desk@guard.example", "gate@guard.example", "vendor@build.example"]


@pytest.fixture(params=[CANCELLED, RETURNED, APPROVED], ids=MIDDLES.values())
def telling(request) -> Any:
    """Each of the three tasks in turn."""
    return request.param


def arguments(task: Any, permit: Wom, **changes: Any) -> dict[str, Any]:
    status = STATES[task.name].get("workpermit" if task is APPROVED else "workstatus")
    given = {
        "wom_id": permit.pk,
        "sitename": "acme site 1",
        "workpermit_status": status,
        "vendor_name": "Build & Sons",
        "permit_name": "Cold Work Permit",
        "permit_no": 7,
    }
    return {**given, **({} if task is CANCELLED else {"pdf_path": None}), **changes}


def tell(company: Any, task: Any, permit: Wom, *, attempt: int = 1, **changes: Any) -> dict[str, Any]:
    return run_for(company, task, attempt=attempt, **arguments(task, permit, **changes))


def in_state_for(task: Any, permit: Wom) -> Wom:
    return change(permit, **STATES[task.name])


def test_each_address_gets_a_message_of_its_own(acme, permit, mailbox, telling):
    in_state_for(telling, permit)

    result = tell(acme, telling, permit)

    assert result == {"status": "ok", "permit_no": 7, "messages": 3, "recipients": 3, "warnings": []}
    assert recipients(mailbox) == TOLD
    assert all(len(each.recipients) == 1 for each in mailbox.received)
    status = arguments(telling, permit)["workpermit_status"]
    assert subjects(mailbox) == {f"Cold Work Permit 7, {acme.place.buname}: {status}"}
    assert {each.effect for each in mailbox.received} == {
        f"wp:{permit.pk}:{MIDDLES[telling.name]}:{digest(address)}" for address in TOLD
    }


def test_a_cancellation_says_who_and_why_and_that_work_must_stop(acme, permit, mailbox):
    remarks = [{"people": "A1", "remarks": "fine"}, {"people": "V2", "remarks": "A <storm>"}]
    change(in_state_for(CANCELLED, permit), remarks=remarks)

    tell(acme, CANCELLED, permit, submit_work_permit=True)

    got = mailbox.received[0]
    assert "Cancelled by: Person V2" in got.text
    assert "Reason: A <storm>" in got.text
    assert "A &lt;storm&gt;" in got.html
    assert "must stop at once" in got.text
    assert list(got.message.iter_attachments()) == []


def test_d22_who_cancelled_is_looked_for_in_the_permits_client_and_may_have_left(acme, globex, permit, mailbox):
    People.objects.filter(pk=globex.staff["V2"].pk).update(peoplename="A stranger", peoplecode="X9")
    People.objects.filter(pk=acme.staff["V2"].pk).update(enable=False)
    change(in_state_for(CANCELLED, permit), remarks=[{"people": "V2", "remarks": "x"}])
    tell(acme, CANCELLED, permit)
    other = change(acme.permit(), workstatus="CANCELLED", remarks=[{"people": "X9", "remarks": "x"}])
    tell(acme, CANCELLED, other)

    texts = [each.text for each in mailbox.received]
    assert "Cancelled by: Person V2" in texts[0]
    assert "Cancelled by: X9" in texts[-1]


def test_a_cancellation_without_a_remark_is_told_all_the_same(acme, permit, mailbox):
    change(in_state_for(CANCELLED, permit), remarks=[])

    result = tell(acme, CANCELLED, permit)

    assert result["messages"] == 3
    assert result["warnings"] == ["the permit was cancelled without a remark"]


def test_the_returned_permit_shows_its_return_and_who_agreed(acme, permit, mailbox, real_pdf):
    decide(permit, "wp_approvers", A1="APPROVED", A2="APPROVED")
    acme.section(permit, "Completion", ("Area is clean",), seqno=9, set_type="RETURN_WORK_PERMIT")
    in_state_for(RETURNED, permit)

    tell(acme, RETURNED, permit, pdf_path="/etc/passwd")

    text = text_of(pdf_of(mailbox.received[0])[1])
    for words in ("Return of permit", "Area is clean", "Person A1, Person A2", "COMPLETED", "APPROVED"):
        assert words in text
    assert "root:" not in text


def test_d24_a_section_added_on_return_moves_no_address(acme, permit, mailbox):
    acme.section(permit, "Completion", ("Area is clean", "a@return.example"), seqno=9, set_type="RETURN_WORK_PERMIT")
    in_state_for(RETURNED, permit)

    tell(acme, RETURNED, permit)

    assert recipients(mailbox) == TOLD


def test_without_addresses_the_vendor_is_told_and_without_a_vendors_address_it_is_bad_input(acme, mailbox, telling):
    permit = in_state_for(telling, acme.permit(sections={"Place of work": ("Hall",), "EMAIL": ("nobody",)}))

    result = tell(acme, telling, permit)

    assert recipients(mailbox) == ["office@build.example"]
    assert any("vendor's own" in word for word in result["warnings"])
    Vendor.objects.update(email="")
    with pytest.raises(BadInput, match="nobody to tell"):
        tell(acme, telling, permit)


def test_a_vendor_of_another_client_is_never_written_to(acme, globex, mailbox):
    permit = in_state_for(APPROVED, acme.permit(sections={"Place of work": ("Hall",)}, vendor=globex.vendor))

    with pytest.raises(BadInput, match="nobody to tell"):
        tell(acme, APPROVED, permit)

    assert mailbox.received == []


def test_news_that_are_not_true_yet_are_waited_for_twice_and_then_skipped(acme, permit, mailbox, telling):
    for attempt in (1, 2):
        with pytest.raises(NotReady, match="not so far"):
            tell(acme, telling, permit, attempt=attempt)

    result = tell(acme, telling, permit, attempt=3)

    assert (result["status"], result["messages"]) == ("skipped", 0)
    assert result["reason"]
    assert mailbox.received == []


def test_a_permit_that_was_cancelled_after_its_approval_is_never_announced_as_approved(acme, permit, mailbox):
    change(in_state_for(APPROVED, permit), workstatus="CANCELLED")

    assert tell(acme, APPROVED, permit, attempt=3)["status"] == "skipped"
    assert mailbox.received == []


@pytest.mark.parametrize("wom_id", [None, 0, True, "7", 999_999])
def test_a_permit_that_is_none_is_bad_input(acme, permit, telling, wom_id):
    with pytest.raises(BadInput, match="permit"):
        tell(acme, telling, permit, wom_id=wom_id)


def test_another_clients_permit_is_unknown(acme, globex, mailbox, telling):
    theirs = in_state_for(telling, globex.permit())

    with pytest.raises(BadInput, match="no work permit"):
        tell(acme, telling, theirs, attempt=3)

    assert mailbox.received == []


def test_d24_one_address_that_fails_holds_up_nobody_and_is_tried_again(acme, permit, mailbox, telling):
    in_state_for(telling, permit)
    mailbox.on_recipient["gate@guard.example"] = "450 mailbox busy"
    with pytest.raises(Transient, match="450"):
        tell(acme, telling, permit)
    assert recipients(mailbox) == ["desk@guard.example", "vendor@build.example"]

    mailbox.on_recipient.clear()
    assert tell(acme, telling, permit, attempt=2)["messages"] == 1
    assert recipients(mailbox) == TOLD


HINTS = ("sitename", "workpermit_status", "vendor_name", "permit_name", "permit_no")


@pytest.mark.parametrize("hints", [dict.fromkeys(HINTS), {"permit_no": "7"}], ids=["none", "number as text"])
def test_hints_may_be_missing_or_text_because_the_database_decides(acme, permit, mailbox, telling, hints):
    """A permit without a vendor, or whose number is text: whoever must hear that work stops hears it."""
    in_state_for(telling, permit)

    result = tell(acme, telling, permit, **hints)

    assert (result["messages"], result["warnings"]) == (3, [])


def test_a_number_that_nobody_can_have_given_is_none(acme, permit, mailbox):
    change(in_state_for(CANCELLED, permit), other_data={**permit.other_data, "wp_seqno": "9" * 5_000})

    result = tell(acme, CANCELLED, permit, permit_no=None)

    assert (result["messages"], result["permit_no"]) == (3, None)


def test_a_second_run_is_a_duplicate(acme, permit, mailbox, telling):
    in_state_for(telling, permit)
    tell(acme, telling, permit)

    again = tell(acme, telling, permit)

    assert (again["status"], again["messages"]) == ("duplicate", 0)
    assert len(mailbox.received) == 3


def test_dying_between_sending_and_marking_repeats_one_mail_under_the_same_id(acme, permit, mailbox, telling):
    in_state_for(telling, permit)
    tell(acme, telling, permit)
    key = f"wp:{permit.pk}:{MIDDLES[telling.name]}:{digest('gate@guard.example')}"
    TaskEffect.objects.filter(key=key).update(status="reserved", done_at=None, lease_until="2001-01-01T00:00Z")

    assert tell(acme, telling, permit)["messages"] == 1

    assert len(mailbox.received) == 4
    assert len({each.message["Message-ID"] for each in mailbox.received}) == 3


def test_look_alike_permits_of_two_clients_tell_their_own_people(acme, globex, mailbox, telling, real_pdf):
    for company in (acme, globex):
        sections = {**SECTIONS, "EMAIL": (f"gate@{company.name}.example",)}
        tell(company, telling, in_state_for(telling, company.permit(sections=sections)))

    for got in mailbox.received:
        name = got.recipients[0].partition("@")[2].partition(".")[0]
        assert f"{name} site 1" in got.text
        if telling is not CANCELLED:
            assert f"{name} site 1" in text_of(pdf_of(got)[1])
    assert recipients(mailbox) == ["gate@acme.example", "gate@globex.example"]


def test_an_answer_of_null_or_of_an_unknown_question_breaks_nothing(acme, permit, mailbox, real_pdf):
    WomDetails.objects.filter(wom__parent=permit, wom__description="Place of work").update(question=None, answer="")
    change(
        in_state_for(APPROVED, permit),
        vendor=None,
        qset=None,
        remarks=None or {},
        other_data={"wp_seqno": "x", "wp_verifiers": "V1"},
    )

    result = tell(acme, APPROVED, permit)

    assert (result["permit_no"], result["messages"]) == (None, 3)
    assert "General Work Permit" in text_of(pdf_of(mailbox.received[0])[1])


def test_a_mail_that_fails_for_good_leaves_a_notice_with_the_permits_number(acme, permit, mailbox):
    mailbox.on_recipient = dict.fromkeys(TOLD, "550 no such user")
    in_state_for(CANCELLED, permit)
    with tenant(acme.id):
        CANCELLED.enqueue(**arguments(CANCELLED, permit))
    assert run_jobs("email") == 1

    assert Job.objects.dead_letters().count() == 1
    (notice,) = TaskEffect.objects.filter(key__startswith="notice:failed:")
    assert notice.key == f"notice:failed:{CANCELLED.name}:permit:{permit.pk}"
    assert "Cold Work Permit 7, acme site 1" in notice.payload["subject"]
    permit.refresh_from_db()
    assert permit.workstatus == "CANCELLED"
