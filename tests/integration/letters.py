"""Dead letters as workers leave them, for tests: jobs of a task that fail at a desk with an error."""

from __future__ import annotations

from typing import Any

from tests.integration.desk import Desk
from youtility_tasks import Task, tenant

TRACEBACK = """Traceback (most recent call last):
  File "/srv/app-{release}/company/mail.py", line {line}, in {function}
    server.send(note)
  File "/usr/lib/python3.11/smtplib.py", line {line}, in send
    raise SMTPServerDisconnected("please run connect() first")
smtplib.SMTPServerDisconnected: please run connect() first
"""


def traceback(*, release: int = 1, line: int = 10, function: str = "mail_it") -> str:
    return TRACEBACK.format(release=release, line=line, function=function)


def dead(
    desk: Desk,
    task: Task,
    tenant_id: int,
    *,
    n: int = 1,
    said: str = "ticket 7 not found",
    kind: str = "company.errors.Gone",
    trace: str | None = None,
    using: dict[str, Any] | None = None,
    **kwargs: Any,
) -> list[int]:
    """The ids of so many jobs of the tenant that failed for good with this error."""
    with tenant(tenant_id):
        made = [int(task.using(**(using or {})).enqueue(**kwargs).id) for _ in range(n)]
    jobs = desk.claim(n)
    assert [job.id for job in jobs] == made
    error = {"error_class": kind, "error_message": said, "traceback": traceback() if trace is None else trace}
    desk.finish_all([(job, "failed", error) for job in jobs])
    return made
