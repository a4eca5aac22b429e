"""Gives dead letters new attempts, in the caller's transaction; those that cannot be stay, with the reason."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from youtility_tasks import acts, audit, queries
from youtility_tasks.acts import Acted, Becomes

from .editing import Edit, Letter

_WHY = {
    "inactive": "tenant {tenant} is not active. `tenants add {tenant} NAME` brings it back.",
    "changed": "its arguments were changed at the same moment. Try it again.",
    "waits": "another job waits under its queueing lock already. Retry it when that one has begun, or discard it.",
    "unique": "another job with its unique key waits or runs already. Retry it when that one has ended, or discard it.",
    "taken": "another job took its queueing lock or its unique key at this moment. Retry it when that one has ended, or discard it.",
}

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Moved:
    """What became of some letters; one in neither is no dead letter any more, or failed anew since it was looked at."""

    done: list[Acted] = field(default_factory=list)
    refused: dict[int, str] = field(default_factory=dict)
    """Why it stays a dead letter."""

    def add(self, more: Moved) -> None:
        """What became of further letters."""
        self.done += more.done
        self.refused |= more.refused


def move(
    letters: Sequence[Letter],
    edits: Mapping[int, Edit],
    *,
    first_at: datetime | None,
    spacing_s: float,
    tenant_id: int | None,
    into: Moved,
) -> None:
    """Let these letters wait for new attempts: the first due at `first_at` (None: now), each further one `spacing_s` later.

    `tenant_id`: whose they must be; None is anybody's. Tells their queues.
    """

    def move_them(some: Sequence[Letter]) -> Moved:
        rows = queries.fetch(
            "redrive_letters", _parameters(some, edits, first_at, spacing_s, len(into.done), tenant_id)
        )
        moved = Moved()
        for job_id, task_name, queue_name, its_tenant, refused in rows:
            if refused is None:
                moved.done.append(Acted(job_id, task_name, queue_name, its_tenant, Becomes.TODO))
            else:
                moved.refused[job_id] = _said(job_id, task_name, its_tenant, refused)
        acts.tell_queues(moved.done)
        return moved

    def refuse(letter: Letter) -> None:
        into.refused[letter.job_id] = _said(letter.job_id, letter.task_name, letter.tenant_id, "taken")

    acts.together_or_each(letters, move_them, into.add, refuse)


def enter(act: str, moved: Sequence[Acted], *, reason: str = "", **after: object) -> None:
    """Enter what was moved, a row a tenant."""
    for tenant_id in sorted({each.tenant_id for each in moved}):
        its = [each for each in moved if each.tenant_id == tenant_id]
        one = f"job {its[0].job_id} ({its[0].task_name})"
        target = one if len(its) == 1 else f"{one} and {len(its) - 1} more"
        jobs = [each.job_id for each in its]
        audit.write(
            act, target, tenant_id=tenant_id, reason=reason, after={"status": Becomes.TODO, "jobs": jobs, **after}
        )


def _parameters(
    letters: Sequence[Letter],
    edits: Mapping[int, Edit],
    first_at: datetime | None,
    spacing_s: float,
    before: int,
    tenant_id: int | None,
) -> dict[str, object]:
    edited = [edits.get(each.job_id) for each in letters]
    return {
        "job_ids": [each.job_id for each in letters],
        "claims": [each.claim_number for each in letters],
        "args": [each and each.args for each in edited],
        "was": [each.args if new else None for each, new in zip(letters, edited, strict=True)],
        "locks": [each and each.lock for each in edited],
        "queueing_locks": [each and each.queueing_lock for each in edited],
        "first_at": first_at,
        "before": before,
        "spacing_s": spacing_s,
        "tenant_id": tenant_id,
    }


def _said(job_id: int, task_name: str, tenant_id: int, why: str) -> str:
    return f"Job {job_id} ({task_name}) stays a dead letter: {_WHY[why].format(tenant=tenant_id)}"
