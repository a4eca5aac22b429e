"""Stops the work of a tenant that leaves: what waits is cancelled with a reason, what runs is asked to end.

From the moment the tenant is inactive no worker claims a job of it and nothing can be enqueued for it, so that what is
left of this when the caller dies is done by upkeep.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from . import acts, queries, roster, tenants
from .models import Tenant
from .status import JobStatus


@dataclass(frozen=True, slots=True)
class Suspended:
    """What became of a tenant's live jobs."""

    tenant: Tenant
    cancelled: int
    """Waited, and left their queues."""
    aborting: int
    """Run, and were asked to end; they end as aborted, whatever they come to."""


def suspend(tenant_id: int, reason: str = "") -> Suspended:
    """Make a tenant inactive and stop its jobs; its dead letters and history stay, and `roster.add` brings it back.

    Raises Refused when there is no such tenant or it is not active.
    """
    left = roster.deactivate(tenant_id, reason)
    return Suspended(left, *_stop(left))


def stop_stragglers(now: datetime, leave: Callable[[], bool]) -> tuple[int, bool]:
    """Stop jobs that came for tenants which left in the last day; how many, and whether that was all."""
    stopped = 0
    while not leave():
        ((found, is_all),) = queries.fetch("stop_stragglers", {"now": now})
        stopped += found
        if is_all:
            return stopped, True
    return stopped, False


def _stop(tenant: Tenant) -> tuple[int, int]:
    why = f"Tenant {tenant.pk} was deactivated" + (
        f": {tenant.deactivated_reason}" if tenant.deactivated_reason else "."
    )
    with tenants.tenant(tenant.pk):
        live = [job_id for status in (JobStatus.TODO, JobStatus.DOING) for job_id in acts.choose(status)]
        done = acts.cancel_many(live, why).done
    cancelled = sum(each.becomes is acts.Becomes.CANCELLED for each in done)
    return cancelled, len(done) - cancelled
