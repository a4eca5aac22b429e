"""Reports that a person waits for: made to be downloaded, or made to be mailed."""

from __future__ import annotations

from typing import Any

from task_catalog import keys
from task_catalog.not_yet_built import NotYetBuiltGuard
from youtility_tasks import NotYetBuilt, Retry, queues, task


def _same_request(arguments: dict[str, Any]) -> str:
    return f"report:{arguments['user_id']}:{keys.digest_json(arguments['formdata'])}"


@task(
    name="create_save_report_async",
    queue_name=queues.REPORTS,
    priority=3,
    retry=Retry(3, base=15, factor=2, cap=60),
    timeout_s=300,
    queueing_lock=_same_request,
    isolated=True,
    seed_class="reports",
    guard=NotYetBuiltGuard("create_save_report_async"),
)
def create_save_report_async(
    *, formdata: dict[str, Any], client_id: int, user_email: str, user_id: int
) -> dict[str, Any]:
    """Make the report that the page's form asks for; store it for download or hand it over to be mailed.

    `formdata` carries instants and dates as ISO text. A report without rows is an outcome, not a failure.

    Second attempt: writes the file of this very request again under its own name; each request is its own.
    """
    raise NotYetBuilt("create_save_report_async")


@task(
    name="send_report_on_email",
    queue_name=queues.REPORTS,
    priority=4,
    retry=Retry(6, base=60, factor=2, cap=900),
    timeout_s=60,
    seed_class="reports",
    guard=NotYetBuiltGuard("send_report_on_email"),
)
def send_report_on_email(
    *, formdata: dict[str, Any], json_report: str, request_key: str | None = None
) -> dict[str, Any]:
    """Mail a small report that travels inside the job; `json_report` is `{"report": "<base64>"}`.

    `request_key` is the job that made the report; without it the content and the recipients tell requests apart.

    Second attempt: same effect key and Message-ID (request), so nobody gets two mails.
    """
    raise NotYetBuilt("send_report_on_email")
