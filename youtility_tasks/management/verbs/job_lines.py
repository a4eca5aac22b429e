"""How a list of jobs is shown; shared by the verbs that list jobs."""

from __future__ import annotations

import dataclasses
from argparse import Namespace
from collections.abc import Collection, Sequence

from rich.console import RenderableType

from youtility_tasks import listing, search
from youtility_tasks.documents.jobs import most_attempts
from youtility_tasks.documents.plain import first_line
from youtility_tasks.listing import JobLine
from youtility_tasks.status import JobStatus

from . import arguments
from .answer import table


def find(options: Namespace, statuses: Collection[JobStatus]) -> tuple[list[JobLine], bool]:
    """The jobs that the filters name, newest first, and whether there are more than the limit lets through.

    With an `--until` both ends of the time are those of the failure.
    """
    since, is_of_failures = arguments.since(options), hasattr(options, "until")
    asked = search.parse(getattr(options, "search", None) or "")
    wanted = dataclasses.replace(
        asked,
        statuses=statuses or asked.statuses,
        queue_name=options.queue or asked.queue_name,
        task_name=options.task,
        tenant_id=options.tenant or asked.tenant_id,
        since=None if is_of_failures else since or asked.since,
        failed_since=since if is_of_failures else None,
        fingerprint=getattr(options, "fingerprint", None) or asked.fingerprint,
        failed_until=arguments.instant_of(options, "until"),
    )
    found = listing.jobs(wanted, limit=options.limit + 1)
    if not found:
        arguments.explain_nothing(options)
    return found[: options.limit], len(found) > options.limit


def page(lines: Sequence[JobLine], more: bool, *, empty: str) -> list[RenderableType]:
    """The jobs for people, and a line that says so when there are more."""
    rows = [
        (
            line.job_id,
            _status(line),
            line.task_name,
            line.queue_name,
            line.tenant_id or "all",
            f"{line.attempt_count}/{most_attempts(line.task_name) or '?'}",
            line.enqueued_at,
            line.scheduled_at if line.status == JobStatus.TODO else None,
            line.finished_at,
            first_line(
                f"{line.error_class.rpartition('.')[2]}: {line.error_message}"
                if line.error_class
                else line.error_message
            ),
        )
        for line in lines
    ]
    headings = ("id", "status", "task", "queue", "tenant", "attempts", "enqueued", "not before", "ended", "error")
    shown: list[RenderableType] = [table(headings, rows, empty=empty)]
    if more:
        shown.append(f"There are more: these are the newest {len(lines)}. --limit shows more, filters show fewer.")
    return shown


def _status(line: JobLine) -> str:
    to_be_aborted = ", to be aborted" if line.abort_requested and line.status == JobStatus.DOING else ""
    return f"{line.status}{to_be_aborted}" + (f", {line.progress}" if line.progress is not None else "")
