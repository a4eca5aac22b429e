"""What a worker does for traces: asks under which its jobs were enqueued, and makes the spans that no child can make any more."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from youtility_tasks.finish import Decision, Verdict
from youtility_tasks.workflows import resolve

from .link import Link, LinkDown

if TYPE_CHECKING:
    from .children import Job

Traces = Mapping[int, Sequence[Any]]
"""Job id -> `spans.Told`, and when that was told (s, by this host's clock)."""


async def ask(link: Link, claimed: Sequence[tuple[Any, ...]]) -> Traces:
    """Of jobs just claimed, by one statement; without an answer they run untraced. The caller holds the link's turn."""
    found: list[tuple[Any, ...]] = []
    with contextlib.suppress(LinkDown):
        found = await link.ask("traces", job_ids=[row[3] for row in claimed])
    now = time.time()
    return {job_id: (trace, enqueued_at, due_s, now) for job_id, trace, enqueued_at, due_s in found}


def fields(job: Job) -> dict[str, Any] | None:
    """For a log line about an attempt: its trace and span, where they are known here."""
    if not _is_known(job):
        return None
    from . import spans  # with the setting alone

    return {"span": spans.names(job)}


def _is_known(job: Job) -> bool:
    """A step has its run's trace, which only its child may read, if it was not enqueued with the run."""
    return job.trace is not None and (job.trace[0] is not None or f'"{resolve.KEY}"' not in job.args)


def note(job: Job, queue_name: str, ending: Mapping[str, Any], decision: Decision) -> None:
    """The span of an attempt that its child did not live to end; of one that is handed back there is none."""
    if "run_ms" in ending or decision.verdict is Verdict.RELEASED or not _is_known(job):
        return
    from . import spans  # with the setting alone

    spans.lost(job, queue_name, decision.outcome)
