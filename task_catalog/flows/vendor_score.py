"""W6: the approvers of a vendor's monthly score are asked; when all have accepted it the vendor is told."""

from __future__ import annotations

from uuid import UUID

from task_catalog.email.vendors import send_email_notification_for_sla_report, send_email_notification_for_sla_vendor
from youtility_tasks import Run, Workflow

NAME, DECIDED = "vendor score", "decided"


def begin(*, form_id: int, uuid: UUID | str, site_name: str) -> Run:
    """Ask the approvers of this score form, in the caller's transaction; a second call finds the same run."""
    flow = Workflow(NAME)
    flow.step(send_email_notification_for_sla_report, slaid=form_id, sitename=site_name)
    # Not behind the mail: whoever decides on a page need not have had one.
    decided = flow.signal(DECIDED)
    flow.step(
        send_email_notification_for_sla_vendor,
        after=decided,
        when=decided.result["is_accepted"].equals(True),
        wom_id=str(uuid),
        report_attachment=None,
        sitename=site_name,
    )
    return flow.start(key=str(uuid))


def decide(uuid: UUID | str, *, is_accepted: bool) -> None:
    """Say that all approvers have accepted the score, or that one has rejected it: then nobody is told, and the run ends.

    In the transaction that stores the decision. Raises WorkflowNotFound for a form whose score nobody began, SignalRefused when it
    is decided already.
    """
    Run.by_key(NAME, str(uuid)).signal(DECIDED, {"is_accepted": is_accepted})
