"""Dead letters, by what went wrong."""

from __future__ import annotations

from typing import Any

from youtility_tasks.dead_letters import Group

from .plain import instant


def group(each: Group) -> dict[str, Any]:
    """One error for JSON."""
    return {
        "fingerprint": each.fingerprint,
        "task": each.task_name,
        "error_class": each.error_class,
        "place": each.place,
        "says": each.says,
        "count": each.count,
        "tenants": each.tenant_count,
        "first_seen_at": instant(each.first_failed_at),
        "last_seen_at": instant(each.last_failed_at),
        "example": {"job": each.job_id, "error_message": each.error_message},
    }
