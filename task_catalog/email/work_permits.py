"""Mails of a work permit's way (R-WP): please verify, please approve; then for information to vendor and security.

Only the permit's id decides what is sent. Names, status and number are hints from the call site: the database's value
wins and a difference is a warning. A PDF's path is not read at all: the PDF is made from the permit when it is sent, so
it can be nobody else's (D23). Arguments are in the order of the application's own call sites.
"""

from __future__ import annotations

from typing import Any

from task_catalog import permit_mails
from task_catalog.arguments import task
from task_catalog.rules.permits import News, Step
from youtility_tasks import Retry, TaskContext, queues

_RETRY = Retry(6, base=120, factor=2, cap=1800)
_TIMEOUT_S = 120


@task(
    name="send_email_notification_for_workpermit_approval",
    queue_name=queues.EMAIL,
    priority=3,
    retry=_RETRY,
    timeout_s=_TIMEOUT_S,
    isolated=True,
    takes_context=True,
    seed_class="email",
)
def send_email_notification_for_workpermit_approval(
    context: TaskContext,
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
    hints = _hints(sitename, workpermit_status, vendor_name, permit_name)
    return permit_mails.ask(context, Step.APPROVAL, womid, approvers_code, hints, client_id=client_id)


@task(
    name="send_email_notification_for_wp_verifier",
    queue_name=queues.EMAIL,
    priority=3,
    retry=_RETRY,
    timeout_s=_TIMEOUT_S,
    isolated=True,
    takes_context=True,
    seed_class="email",
)
def send_email_notification_for_wp_verifier(
    context: TaskContext,
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
    hints = _hints(sitename, workpermit_status, vendor_name, permit_name)
    return permit_mails.ask(context, Step.VERIFY, womid, verifiers, hints, client_id=client_id)


@task(
    name="send_email_notification_for_wp_from_mobile_for_verifier",
    queue_name=queues.EMAIL,
    priority=3,
    retry=_RETRY,
    timeout_s=_TIMEOUT_S,
    isolated=True,
    takes_context=True,
    seed_class="email",
)
def send_email_notification_for_wp_from_mobile_for_verifier(
    context: TaskContext,
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
    hints = _hints(sitename, workpermit_status, vendor_name, permit_name)
    return permit_mails.ask(context, Step.VERIFY, womid, verifiers, hints, client_id=client_id)


@task(
    name="send_email_notification_for_wp",
    queue_name=queues.EMAIL,
    priority=3,
    retry=_RETRY,
    timeout_s=_TIMEOUT_S,
    takes_context=True,
    seed_class="email",
)
def send_email_notification_for_wp(
    context: TaskContext,
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
    hints = _hints(sitename, workpermit_status, vendor_name)
    return permit_mails.ask(context, Step.LEGACY, womid, approvers, hints, client_id=client_id, bu_id=bu_id)


@task(
    name="send_email_notification_for_vendor_and_security_of_wp_cancellation",
    queue_name=queues.EMAIL,
    priority=2,
    retry=_RETRY,
    timeout_s=_TIMEOUT_S,
    takes_context=True,
    seed_class="email",
)
def send_email_notification_for_vendor_and_security_of_wp_cancellation(
    context: TaskContext,
    *,
    wom_id: int,
    sitename: str | None,
    workpermit_status: str | None,
    vendor_name: str | None,
    permit_name: str | None,
    permit_no: int | str | None,
    submit_work_permit: bool = False,
    submit_work_permit_from_mobile: bool = False,
) -> dict[str, Any]:
    """Tell vendor and security that a permit was cancelled, by whom and why: work must stop.

    The last two arguments are accepted and ignored; they once said where the addresses stood.

    Second attempt: same effect key and Message-ID (permit, cancel, address), so nobody gets two mails.
    """
    hints = _hints(sitename, workpermit_status, vendor_name, permit_name, permit_no)
    return permit_mails.tell(context, News.CANCELLED, wom_id, hints, with_document=False)


@task(
    name="send_email_notification_for_vendor_and_security_for_rwp",
    queue_name=queues.EMAIL,
    priority=4,
    retry=_RETRY,
    timeout_s=_TIMEOUT_S,
    isolated=True,
    takes_context=True,
    seed_class="email",
)
def send_email_notification_for_vendor_and_security_for_rwp(
    context: TaskContext,
    *,
    wom_id: int,
    sitename: str | None,
    workpermit_status: str | None,
    vendor_name: str | None,
    pdf_path: str | None,
    permit_name: str | None,
    permit_no: int | str | None,
) -> dict[str, Any]:
    """Tell vendor and security that a permit was returned; its PDF goes along.

    Second attempt: same effect key and Message-ID (permit, rwp, address), so nobody gets two mails.
    """
    hints = _hints(sitename, workpermit_status, vendor_name, permit_name, permit_no)
    return permit_mails.tell(context, News.RETURNED, wom_id, hints, with_document=True)


@task(
    name="send_email_notification_for_vendor_and_security_after_approval",
    queue_name=queues.EMAIL,
    priority=3,
    retry=_RETRY,
    timeout_s=_TIMEOUT_S,
    isolated=True,
    takes_context=True,
    seed_class="email",
)
def send_email_notification_for_vendor_and_security_after_approval(
    context: TaskContext,
    *,
    wom_id: int,
    sitename: str | None,
    workpermit_status: str | None,
    vendor_name: str | None,
    pdf_path: str | None,
    permit_name: str | None,
    permit_no: int | str | None,
) -> dict[str, Any]:
    """Tell vendor and security that a permit is approved; its PDF goes along.

    Second attempt: same effect key and Message-ID (permit, approved, address), so nobody gets two mails.
    """
    hints = _hints(sitename, workpermit_status, vendor_name, permit_name, permit_no)
    return permit_mails.tell(context, News.APPROVED, wom_id, hints, with_document=True)


def _hints(
    sitename: object,
    workpermit_status: object,
    vendor_name: object,
    permit_name: object = None,
    permit_no: object = None,
) -> dict[str, object]:
    return {
        "sitename": sitename,
        "workpermit_status": workpermit_status,
        "vendor_name": vendor_name,
        "permit_name": permit_name,
        "permit_no": permit_no,
    }
