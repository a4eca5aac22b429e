"""Mails of a work permit's way (R-WP): please verify, please approve; then for information to vendor and security.

Only the permit's id decides what is sent. Names, status and number are hints from the call site: the database's value
wins and a difference is a warning.
"""

from __future__ import annotations

from typing import Any

from task_catalog.not_yet_built import NotYetBuiltGuard
from youtility_tasks import NotYetBuilt, Retry, queues, task

_RETRY = Retry(6, base=120, factor=2, cap=1800)
_TIMEOUT_S = 120


@task(
    name="send_email_notification_for_workpermit_approval",
    queue_name=queues.EMAIL,
    priority=3,
    retry=_RETRY,
    timeout_s=_TIMEOUT_S,
    isolated=True,
    seed_class="email",
    guard=NotYetBuiltGuard("send_email_notification_for_workpermit_approval"),
)
def send_email_notification_for_workpermit_approval(
    *,
    womid: int,
    approvers: list[str] | None = None,
    approvers_code: list[str] | None = None,
    sitename: str | None = None,
    workpermit_status: str | None = None,
    permit_name: str | None = None,
    workpermit_attachment: str | None = None,
    vendor_name: str | None = None,
    client_id: int | None = None,
) -> dict[str, Any]:
    """Ask each approver who has not decided yet, once every verifier has accepted; the permit's PDF goes along.

    `approvers_code` are people codes, by default those stored with the permit.

    Second attempt: same effect key and Message-ID (permit, approval, person), so nobody is asked twice.
    """
    raise NotYetBuilt("send_email_notification_for_workpermit_approval")


@task(
    name="send_email_notification_for_wp_verifier",
    queue_name=queues.EMAIL,
    priority=3,
    retry=_RETRY,
    timeout_s=_TIMEOUT_S,
    isolated=True,
    seed_class="email",
    guard=NotYetBuiltGuard("send_email_notification_for_wp_verifier"),
)
def send_email_notification_for_wp_verifier(
    *,
    womid: int,
    verifiers: list[str] | None = None,
    sitename: str | None = None,
    workpermit_status: str | None = None,
    permit_name: str | None = None,
    vendor_name: str | None = None,
    client_id: int | None = None,
    workpermit_attachment: str | None = None,
) -> dict[str, Any]:
    """Ask each verifier of a permit that was made on the web; its PDF goes along.

    `verifiers` are people codes, by default those stored with the permit.

    Second attempt: same effect key and Message-ID (permit, verify, person), so nobody is asked twice.
    """
    raise NotYetBuilt("send_email_notification_for_wp_verifier")


@task(
    name="send_email_notification_for_wp_from_mobile_for_verifier",
    queue_name=queues.EMAIL,
    priority=3,
    retry=_RETRY,
    timeout_s=_TIMEOUT_S,
    isolated=True,
    seed_class="email",
    guard=NotYetBuiltGuard("send_email_notification_for_wp_from_mobile_for_verifier"),
)
def send_email_notification_for_wp_from_mobile_for_verifier(
    *,
    womid: int,
    verifiers: list[str] | None = None,
    sitename: str | None = None,
    workpermit_status: str | None = None,
    permit_name: str | None = None,
    vendor_name: str | None = None,
    client_id: int | None = None,
    workpermit_attachment: str | None = None,
) -> dict[str, Any]:
    """Ask each verifier of a permit that came from a device; its PDF goes along.

    `verifiers` are people codes, by default those stored with the permit.

    Second attempt: same effect key and Message-ID as the web's mail (permit, verify, person), so nobody is asked twice.
    """
    raise NotYetBuilt("send_email_notification_for_wp_from_mobile_for_verifier")


@task(
    name="send_email_notification_for_wp",
    queue_name=queues.EMAIL,
    priority=3,
    retry=_RETRY,
    timeout_s=_TIMEOUT_S,
    seed_class="email",
    guard=NotYetBuiltGuard("send_email_notification_for_wp"),
)
def send_email_notification_for_wp(
    *,
    womid: int,
    qsetid: int | None = None,
    approvers: list[str] | None = None,
    client_id: int | None = None,
    bu_id: int | None = None,
    sitename: str | None = None,
    workpermit_status: str | None = None,
    vendor_name: str | None = None,
) -> dict[str, Any]:
    """Ask each approver of a general permit, without a PDF; the way of before verifiers, kept for old call sites.

    `approvers` are people codes, by default those stored with the permit.

    Second attempt: same effect key and Message-ID (permit, legacy, person), so nobody is asked twice.
    """
    raise NotYetBuilt("send_email_notification_for_wp")


@task(
    name="send_email_notification_for_vendor_and_security_of_wp_cancellation",
    queue_name=queues.EMAIL,
    priority=2,
    retry=_RETRY,
    timeout_s=_TIMEOUT_S,
    seed_class="email",
    guard=NotYetBuiltGuard("send_email_notification_for_vendor_and_security_of_wp_cancellation"),
)
def send_email_notification_for_vendor_and_security_of_wp_cancellation(
    *,
    wom_id: int,
    sitename: str,
    workpermit_status: str,
    vendor_name: str,
    permit_name: str,
    permit_no: int,
    submit_work_permit: bool = False,
    submit_work_permit_from_mobile: bool = False,
) -> dict[str, Any]:
    """Tell vendor and security that a permit was cancelled, by whom and why: work must stop.

    The last two arguments are accepted and ignored; they once said where the addresses stood.

    Second attempt: same effect key and Message-ID (permit, cancel, address), so nobody gets two mails.
    """
    raise NotYetBuilt("send_email_notification_for_vendor_and_security_of_wp_cancellation")


@task(
    name="send_email_notification_for_vendor_and_security_for_rwp",
    queue_name=queues.EMAIL,
    priority=4,
    retry=_RETRY,
    timeout_s=_TIMEOUT_S,
    isolated=True,
    seed_class="email",
    guard=NotYetBuiltGuard("send_email_notification_for_vendor_and_security_for_rwp"),
)
def send_email_notification_for_vendor_and_security_for_rwp(
    *,
    wom_id: int,
    sitename: str,
    workpermit_status: str,
    vendor_name: str,
    pdf_path: str | None,
    permit_name: str,
    permit_no: int,
) -> dict[str, Any]:
    """Tell vendor and security that a permit was returned; its PDF goes along, made again if `pdf_path` is gone.

    Second attempt: same effect key and Message-ID (permit, rwp, address), so nobody gets two mails.
    """
    raise NotYetBuilt("send_email_notification_for_vendor_and_security_for_rwp")


@task(
    name="send_email_notification_for_vendor_and_security_after_approval",
    queue_name=queues.EMAIL,
    priority=3,
    retry=_RETRY,
    timeout_s=_TIMEOUT_S,
    isolated=True,
    seed_class="email",
    guard=NotYetBuiltGuard("send_email_notification_for_vendor_and_security_after_approval"),
)
def send_email_notification_for_vendor_and_security_after_approval(
    *,
    wom_id: int,
    sitename: str,
    workpermit_status: str,
    vendor_name: str,
    pdf_path: str | None,
    permit_name: str,
    permit_no: int,
) -> dict[str, Any]:
    """Tell vendor and security that a permit is approved; its PDF goes along, made again if `pdf_path` is gone.

    Second attempt: same effect key and Message-ID (permit, approved, address), so nobody gets two mails.
    """
    raise NotYetBuilt("send_email_notification_for_vendor_and_security_after_approval")
