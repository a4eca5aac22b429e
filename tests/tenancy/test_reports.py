"""Reports made, mailed, cleaned up and recorded by a process that the database lets see one client at a time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import override_settings

from task_catalog.email.reports import send_generated_report_onfly_email
from task_catalog.facility.clients import ensure_levels
from task_catalog.facility.models import ReportHistory
from task_catalog.facility.sentinels import ensure_sentinels
from task_catalog.maintenance.files import cleanup_reports_which_are_12hrs_old
from task_catalog.reports.history import create_report_history
from task_catalog.reports.mailing import send_generated_report_on_mail
from task_catalog.reports.on_demand import create_save_report_async
from task_catalog.reports.scheduled import create_scheduled_reports
from tests.catalog.closing.frozen import FrozenClock
from tests.catalog.closing.world import Company, run
from tests.catalog.reports.world import Folders, form, schedule, visits
from tests.tenancy.ground import House
from youtility_tasks import TaskContext, tenant
from youtility_tasks.models import Job
from youtility_tasks.tenancy import roles
from youtility_tasks.tenants import no_tenant
from youtility_tasks.workflows import resolve

AT = datetime(2025, 3, 3, 8, 22, tzinfo=UTC)


@pytest.fixture
def folders(tmp_path: Any) -> Any:
    found = Folders(tmp_path / "on_demand", tmp_path / "scheduled")
    FrozenClock.instant = AT
    catalog = {
        "clock": f"{FrozenClock.__module__}.{FrozenClock.__qualname__}",
        "ondemand_reports_folder": str(found.on_demand),
        "scheduled_reports_folder": str(found.scheduled),
        "report_inline_bytes": 1,
    }
    with override_settings(TASK_CATALOG=catalog):
        yield found


@pytest.mark.usefixtures("django_db_setup")
def test_each_clients_reports_hold_its_own_rows_when_the_task_connects_as_the_task(
    house: House, django_db_blocker: Any, folders: Folders, mailoutbox: list[Any]
) -> None:
    with django_db_blocker.unblock(), house.settled():
        ensure_sentinels()
        ensure_levels(at=AT)
        companies = [Company("acme", ctzoffset=330), Company("globex")]
        askers = {}
        for company in companies:
            site = company.site("1")
            askers[company.id] = (company.person("asker", site), site)
            visits(company, site, "COMPLETED", plandatetime=AT - timedelta(days=1))
            schedule(company, site, cron="0 8 * * *", ctzoffset=0, lastgeneratedon=None)

        roles.act_as("task")
        for company in companies:
            asker, site = askers[company.id]
            asked = form("TASKSUMMARY", site, export_type="SEND", to_addr=["b@x.example"], fromdate="2025-03-01")
            with tenant(company.id):
                context = TaskContext.for_tests(create_save_report_async, job_id=company.id)
                made = create_save_report_async.func(
                    context, formdata=asked, client_id=company.id, user_email=asker.email, user_id=asker.pk
                )
                assert made["status"] == 201
        with no_tenant():
            assert run(create_scheduled_reports)["generated"] == 2
            assert run(cleanup_reports_which_are_12hrs_old)["deleted"] == 0
            assert run(send_generated_report_on_mail)["sent"] == 2
        for company in companies:
            with tenant(company.id):
                for job in Job.objects.filter(task_name="send_generated_report_onfly_email"):
                    send_generated_report_onfly_email.func(**job.args)
                for job in Job.objects.filter(task_name="create_report_history"):
                    context, at = TaskContext.for_tests(create_report_history, job_id=job.pk), resolve.place(job.args)
                    told = job.args if at is None else resolve.opened(job.args, at, verbatim=False)
                    create_report_history.func(context, **told)
                assert {row.client_id for row in ReportHistory.objects.all()} == {company.id}
                assert ReportHistory.objects.count() == 2

    assert folders.files() == []
    assert len(mailoutbox) == 4
    for mail in mailoutbox:
        (attached,) = mail.attachments
        text = attached[1].decode() if isinstance(attached[1], bytes) else attached[1]
        assert ("acme site" in text) != ("globex site" in text)
