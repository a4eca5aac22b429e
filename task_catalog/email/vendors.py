"""Mails of a vendor's monthly score (R-SLA): to those who approve it, then to the vendor."""

from __future__ import annotations

from typing import Any

from task_catalog.not_yet_built import NotYetBuiltGuard
from youtility_tasks import NotYetBuilt, Retry, queues, task

_RETRY = Retry(6, base=120, factor=2, cap=1800)


@task(
    name="send_email_notification_for_sla_report",
    queue_name=queues.EMAIL,
    priority=4,
    retry=_RETRY,
    timeout_s=180,
    isolated=True,
    seed_class="sla",
    guard=NotYetBuiltGuard("send_email_notification_for_sla_report"),
)
def send_email_notification_for_sla_report(*, slaid: int, sitename: str) -> dict[str, Any]:
    """Work out a vendor's score, store it once and ask each approver who has not decided yet; the PDF goes along.

    `slaid` is the work order that holds the score form, `sitename` a hint.

    Second attempt: stores the same score; same effect key and Message-ID (form, person), so nobody is asked twice.
    """
    raise NotYetBuilt("send_email_notification_for_sla_report")


@task(
    name="send_email_notification_for_sla_vendor",
    queue_name=queues.EMAIL,
    priority=5,
    retry=_RETRY,
    timeout_s=120,
    isolated=True,
    seed_class="email",
    guard=NotYetBuiltGuard("send_email_notification_for_sla_vendor"),
)
def send_email_notification_for_sla_vendor(
    *, wom_id: str, report_attachment: str | None, sitename: str
) -> dict[str, Any]:
    """Send a vendor his approved score, approvers in copy; the PDF goes along, made again if it is gone.

    `wom_id` is the work order's uuid, unlike elsewhere; `sitename` is a hint.

    Second attempt: same effect key and Message-ID (form), so the vendor gets one mail.
    """
    raise NotYetBuilt("send_email_notification_for_sla_vendor")
