"""Permits and scores mailed by a process that the database lets see one client at a time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import override_settings

from task_catalog import notices
from task_catalog.email import vendors
from task_catalog.email import work_permits as tasks
from task_catalog.facility.clients import ensure_levels
from task_catalog.facility.models import Wom
from task_catalog.facility.sentinels import ensure_sentinels
from tests.catalog.permits.quick_pdf import QuickPdf
from tests.catalog.permits.world import SECTIONS, Contractor, run_for
from tests.tenancy.ground import House
from youtility_tasks import BadInput, FinalFailure, tenant
from youtility_tasks.models import TaskEffect
from youtility_tasks.tenancy import roles
from youtility_tasks.tenants import no_tenant

AT = datetime(2025, 3, 3, 8, tzinfo=UTC)
APPROVED = {"workpermit": "APPROVED", "verifiers_status": "APPROVED", "workstatus": "INPROGRESS"}


@pytest.fixture
def quick_pdf() -> Any:
    with override_settings(TASK_CATALOG={"pdf_renderer": f"{QuickPdf.__module__}.{QuickPdf.__qualname__}"}):
        yield


@pytest.mark.usefixtures("django_db_setup", "quick_pdf")
def test_each_clients_permits_and_scores_reach_its_own_people_when_the_task_connects_as_the_task(
    house: House, django_db_blocker: Any, mailoutbox: list[Any]
) -> None:
    with django_db_blocker.unblock(), house.settled():
        ensure_sentinels()
        ensure_levels(at=AT)
        companies = [Contractor("acme", ctzoffset=330), Contractor("globex")]
        permits, approved, scores = {}, {}, {}
        for company in companies:
            permits[company.id] = company.permit()
            sections = {**SECTIONS, "EMAIL": (f"gate@{company.name}.example",)}
            approved[company.id] = company.permit(sections=sections, **APPROVED)
            scores[company.id] = company.score()

        roles.act_as("task")
        for company in companies:
            asked = run_for(company, tasks.send_email_notification_for_wp_verifier, womid=permits[company.id].pk)
            assert asked["messages"] == 2
            told = run_for(
                company,
                tasks.send_email_notification_for_vendor_and_security_after_approval,
                wom_id=approved[company.id].pk,
                sitename="",
                workpermit_status="",
                vendor_name="",
                pdf_path=None,
                permit_name="",
                permit_no=0,
            )
            assert told["messages"] == 1
            score = scores[company.id]
            run_for(company, vendors.send_email_notification_for_sla_report, slaid=score.pk, sitename="")
            with tenant(company.id):
                assert Wom.objects.get(pk=score.pk).other_data["overall_score"] == 82.67
        ours, theirs = companies
        with pytest.raises(BadInput, match="no work permit"):
            run_for(ours, tasks.send_email_notification_for_wp_verifier, womid=permits[theirs.id].pk)
        with no_tenant():
            notices.concerns(5, "permit:1", "Cold Work Permit 7")
            notices.promise_for_failure(FinalFailure(tasks.send_email_notification_for_wp, 5, ours.id, "BadInput"))
            assert "Cold Work Permit 7" in TaskEffect.objects.get(key__startswith="notice:failed").payload["subject"]

    assert len(mailoutbox) == 10
    for mail in mailoutbox:
        names = [company.name for company in companies if f"{company.name} site 1" in mail.body]
        assert [address.partition("@")[2].partition(".")[0] for address in mail.to] == names
        (attached,) = mail.attachments
        document = attached[1] if isinstance(attached[1], str) else attached[1].decode()
        assert [company.name for company in companies if f"{company.name} site 1" in document] == names
