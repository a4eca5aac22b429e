"""Reports that come by themselves: made when their period is over, mailed at their own hour (R-REP)."""

from __future__ import annotations

from typing import Any

from task_catalog.not_yet_built import NotYetBuiltGuard
from youtility_tasks import NotYetBuilt, Retry, queues, task


@task(
    name="create_scheduled_reports",
    queue_name=queues.REPORTS,
    priority=5,
    retry=Retry(4, base=300, factor=2, cap=1800),
    timeout_s=900,
    lock="create_scheduled_reports",
    queueing_lock="create_scheduled_reports",
    isolated=True,
    tenant="all",
    schedule="22 */8 * * *",
    seed_class="reports",
    guard=NotYetBuiltGuard("create_scheduled_reports"),
)
def create_scheduled_reports() -> dict[str, Any]:
    """Make the file of every scheduled report whose period is over, one transaction a report.

    A bad schedule is listed in the result and in the history; it never stops the others.

    Second attempt: a report that was made is no longer due, so only the rest is made.
    """
    raise NotYetBuilt("create_scheduled_reports")


@task(
    name="send_generated_report_on_mail",
    queue_name=queues.REPORTS,
    priority=5,
    retry=Retry(4, base=120, factor=2, cap=900),
    timeout_s=300,
    lock="send_generated_report_on_mail",
    queueing_lock="send_generated_report_on_mail",
    tenant="all",
    schedule="*/30 * * * *",
    seed_class="reports",
    guard=NotYetBuiltGuard("send_generated_report_on_mail"),
)
def send_generated_report_on_mail() -> dict[str, Any]:
    """Mail every made report whose hour has come, one message each, and delete its file afterwards.

    Late is better than never: a report that missed its hour goes with the next run.

    Second attempt: same effect key and Message-ID (schedule, period), so nobody gets two mails.
    """
    raise NotYetBuilt("send_generated_report_on_mail")
