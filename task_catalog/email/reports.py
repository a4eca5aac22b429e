"""Mails a report that somebody asked for a moment ago and that is too large to travel inside a job."""

from __future__ import annotations

from typing import Any

from task_catalog.not_yet_built import NotYetBuiltGuard
from youtility_tasks import NotYetBuilt, Retry, queues, task


@task(
    name="send_generated_report_onfly_email",
    queue_name=queues.EMAIL,
    priority=4,
    retry=Retry(6, base=60, factor=2, cap=900),
    timeout_s=120,
    seed_class="low",
    guard=NotYetBuiltGuard("send_generated_report_onfly_email"),
)
def send_generated_report_onfly_email(
    *, filepath: str, fromemail: str, to: list[str], cc: list[str] | None, ctzoffset: int
) -> dict[str, Any]:
    """Mail a report's file and delete it once the mail is known to have gone.

    `filepath` must be below the report folder; `fromemail` becomes Reply-To; `ctzoffset` is minutes east of UTC, for
    the time in the subject.

    Second attempt: same effect key and Message-ID (path, content); a file that is gone after its mail is `duplicate`.
    """
    raise NotYetBuilt("send_generated_report_onfly_email")
