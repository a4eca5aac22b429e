"""Dead letters by what went wrong, and redrives of them."""

from __future__ import annotations

from typing import Any

from youtility_tasks.dead_letters import Group
from youtility_tasks.models import Redrive

from .plain import instant


def group(each: Group) -> dict[str, Any]:
    """The letters of one task and one error."""
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


def redrive(row: Redrive) -> dict[str, Any]:
    """A redrive as it stands; without the arguments given anew, of which it has the names."""
    return {
        "id": row.pk,
        "tenant": row.tenant_id,
        "filter": chosen(row),
        "rate_per_s": row.rate_per_s,
        "set": row.edited,
        "status": status(row),
        "letters": row.total_count,
        "done": row.done_count,
        "refused_count": row.refused_count,
        "refused": row.refused,
        "last_due_at": instant(row.next_at),
        "started_by": row.started_by,
        "reason": row.reason,
        "started_at": instant(row.started_at),
        "ended_at": instant(row.ended_at),
    }


def chosen(row: Redrive) -> dict[str, Any]:
    """Which letters a redrive is about."""
    given = {
        "task": row.task_name,
        "queue": row.queue_name,
        "fingerprint": row.fingerprint,
        "since": instant(row.failed_since),
        "until": instant(row.failed_until),
    }
    return {name: value for name, value in given.items() if value}


def status(row: Redrive) -> str:
    """unfinished, stopped or ended."""
    if row.is_stopped:
        return "stopped"
    return "ended" if row.ended_at else "unfinished"
