"""The permits and scores of the company's day (catalog.md 5.5), through the queue: 152, 6, 12 and 5 messages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import transaction

from task_catalog.email import vendors
from task_catalog.email import work_permits as tasks
from task_catalog.facility.models import Wom
from tests.catalog.permits.world import Contractor, change, decide
from youtility_tasks import tenant
from youtility_tasks.models import Job
from youtility_tasks.testing import run_jobs

PERMITS = {"acme": 10, "globex": 6, "initech": 4}
SCORES = {"acme": 3, "globex": 2, "initech": 1}


@pytest.fixture
def companies(acme, globex) -> Iterator[list[Contractor]]:
    return [acme, globex, Contractor("initech")]


def call(company: Contractor, task: Any, permit: Wom, **more: Any) -> None:
    """Enqueue as the application does: in the transaction that changed the permit."""
    with transaction.atomic(), tenant(company.id):
        task.enqueue(**more or {"womid": permit.pk})


def news(company: Contractor, task: Any, permit: Wom, status: str) -> None:
    facts = {
        "wom_id": permit.pk,
        "sitename": company.place.buname,
        "workpermit_status": status,
        "vendor_name": "Build & Sons",
        "permit_name": "Cold Work Permit",
        "permit_no": 7,
    }
    cancelled = tasks.send_email_notification_for_vendor_and_security_of_wp_cancellation
    call(company, task, permit, **facts, **({} if task is cancelled else {"pdf_path": None}))


def play_permit(company: Contractor, i: int) -> Counter[str]:
    """One permit from its making to its end; which mails it asked for."""
    asked: Counter[str] = Counter()
    permit = company.permit()
    verify = (
        tasks.send_email_notification_for_wp_from_mobile_for_verifier
        if i % 2
        else tasks.send_email_notification_for_wp_verifier
    )
    call(company, verify, permit)
    asked[verify.name] += 1
    if i == 0:
        call(company, tasks.send_email_notification_for_wp, permit)
        asked[tasks.send_email_notification_for_wp.name] += 1
    run_jobs("email")
    if i % 5 == 4:
        decide(permit, "wp_verifiers", V1="REJECTED")
        change(permit, workpermit="REJECTED")
        return asked
    decide(permit, "wp_verifiers", V1="APPROVED", V2="APPROVED")
    change(permit, verifiers_status="APPROVED")
    call(company, tasks.send_email_notification_for_workpermit_approval, permit)
    asked[tasks.send_email_notification_for_workpermit_approval.name] += 1
    run_jobs("email")
    if i % 5 == 3:
        change(permit, workstatus="CANCELLED", remarks=[{"people": "V1", "remarks": "storm"}])
        task = tasks.send_email_notification_for_vendor_and_security_of_wp_cancellation
        news(company, task, permit, "CANCELLED")
        asked[task.name] += 1
        return asked
    decide(permit, "wp_approvers", A1="APPROVED", A2="APPROVED")
    change(permit, workpermit="APPROVED", workstatus="INPROGRESS")
    task = tasks.send_email_notification_for_vendor_and_security_after_approval
    news(company, task, permit, "APPROVED")
    asked[task.name] += 1
    if i % 5 < 2:
        run_jobs("email")
        company.section(permit, "Completion", ("done",), seqno=9, set_type="RETURN_WORK_PERMIT")
        change(permit, workstatus="COMPLETED")
        task = tasks.send_email_notification_for_vendor_and_security_for_rwp
        news(company, task, permit, "COMPLETED")
        asked[task.name] += 1
    return asked


def by_task(mailbox: Any) -> Counter[str]:
    return Counter(each.task for each in mailbox.received)


def test_the_days_permits_send_152_messages_in_63_jobs_and_the_old_way_6_more(companies, mailbox):
    asked: Counter[str] = Counter()
    for company in companies:
        for i in range(PERMITS[company.name]):
            asked += play_permit(company, i)
    run_jobs("email")

    of = "send_email_notification_for_"
    security = f"{of}vendor_and_security_"
    assert asked == {
        f"{of}wp_verifier": 10,
        f"{of}wp_from_mobile_for_verifier": 10,
        f"{of}workpermit_approval": 17,
        f"{security}after_approval": 13,
        f"{security}for_rwp": 9,
        f"{security}of_wp_cancellation": 4,
        f"{of}wp": 3,
    }
    assert by_task(mailbox) == {
        f"{of}wp_verifier": 20,
        f"{of}wp_from_mobile_for_verifier": 20,
        f"{of}workpermit_approval": 34,
        f"{security}after_approval": 39,
        f"{security}for_rwp": 27,
        f"{security}of_wp_cancellation": 12,
        f"{of}wp": 6,
    }
    assert sum(by_task(mailbox).values()) == 152 + 6
    keys = [(each.message["X-Youtility-Tenant"], each.effect) for each in mailbox.received]
    assert len(set(keys)) == 158
    assert Job.objects.count() == 0


def test_the_days_scores_send_12_messages_to_approvers_and_5_to_vendors(companies, mailbox):
    forms = [(company, company.score()) for company in companies for _ in range(SCORES[company.name])]
    for company, form in forms:
        call(
            company, vendors.send_email_notification_for_sla_report, form, slaid=form.pk, sitename=company.place.buname
        )
    run_jobs("email")
    for company, form in forms:
        if company.name != "initech":
            decide(form, "wp_approvers", A1="APPROVED", A2="APPROVED")
            change(form, workpermit="APPROVED")
            vendor = vendors.send_email_notification_for_sla_vendor
            call(company, vendor, form, wom_id=str(form.uuid), report_attachment=None, sitename=company.place.buname)
    run_jobs("email")

    assert by_task(mailbox) == {
        "send_email_notification_for_sla_report": 12,
        "send_email_notification_for_sla_vendor": 5,
    }
    first = Wom.objects.get(pk=forms[0][1].pk)
    assert first.other_data["overall_score"] == 82.67
    assert Job.objects.count() == 0


def test_every_job_delivered_twice_sends_no_message_twice(acme, mailbox):
    permit = acme.permit()
    for _ in range(2):
        call(acme, tasks.send_email_notification_for_wp_verifier, permit)
    run_jobs("email")

    assert len(mailbox.received) == 2
    assert Job.objects.count() == 0


def test_d2_a_permit_that_was_rolled_back_was_never_announced(acme, mailbox):
    permit = acme.permit()
    with pytest.raises(RuntimeError), transaction.atomic(), tenant(acme.id):
        tasks.send_email_notification_for_wp_verifier.enqueue(womid=permit.pk)
        raise RuntimeError("roll back")

    assert run_jobs("email") == 0
    assert mailbox.received == []
