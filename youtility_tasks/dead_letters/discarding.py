"""Discards the dead letters that a filter chooses."""

from __future__ import annotations

from youtility_tasks import acts, membership
from youtility_tasks.errors import Refused
from youtility_tasks.tenants import current_tenant

from .choosing import Letters


def discard(wanted: Letters, reason: str, *, limit: int | None = None) -> acts.Acts:
    """Take these letters of the current tenant (outside of one: of all) out of the queue for good, in batches of one transaction each.

    It may be stopped at any moment and called again. What they were, and the reason, stays in the history and in the audit log.
    Raises NotAllowed; Refused without a reason.
    """
    membership.allow("discard", current_tenant())
    if not reason.strip():
        raise Refused("Why are they discarded? A reason is kept in the history and in the audit log (--reason TEXT).")
    return acts.discard_many(wanted.choose(limit), reason)
