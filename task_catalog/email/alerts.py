"""Mails about readings out of range and routes not kept."""

from __future__ import annotations

from typing import Any

from task_catalog.not_yet_built import NotYetBuiltGuard
from youtility_tasks import NotYetBuilt, Retry, queues, task


@task(
    name="alert_sendmail",
    queue_name=queues.EMAIL,
    priority=2,
    retry=Retry(6, base=120, factor=2, cap=900),
    timeout_s=90,
    seed_class="email",
    guard=NotYetBuiltGuard("alert_sendmail"),
)
def alert_sendmail(*, id: int, event: str, atts: bool = False) -> dict[str, Any]:
    """Tell a site's in-charge and the client's admins what a visit found (R-ALERT).

    `id` is the occurrence, `event` is "observation" (an answer in alert) or "deviation" (a route not kept); `atts`
    attaches the visit's files, 15 MB in all.

    Second attempt: same effect key and Message-ID (occurrence, event), so nobody gets two mails.
    """
    raise NotYetBuilt("alert_sendmail")
