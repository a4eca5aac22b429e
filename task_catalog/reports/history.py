"""The record of every report that was asked for or came by itself."""

from __future__ import annotations

from typing import Any

from task_catalog.not_yet_built import NotYetBuiltGuard
from youtility_tasks import NotYetBuilt, Retry, queues, task


@task(
    name="create_report_history",
    queue_name=queues.REPORTS,
    priority=6,
    retry=Retry(5, base=10, factor=2, cap=300),
    timeout_s=15,
    seed_class="low",
    guard=NotYetBuiltGuard("create_report_history"),
)
def create_report_history(
    *,
    formdata: dict[str, Any],
    userid: int,
    buid: int,
    EI: list[str | None],
    client_id: int | None = None,
    has_data: bool = True,
    request_key: str | None = None,
) -> dict[str, Any]:
    """Write the one history row of a report: who, what, to whom, and the traceback if it failed.

    `EI` is [error type, error text, traceback], each null when there was no error.

    Second attempt: same effect key (request), so there is one row.
    """
    raise NotYetBuilt("create_report_history")
