"""Operations on many jobs, and what one would do."""

from __future__ import annotations

from typing import Any

from youtility_tasks import operations
from youtility_tasks.models import TaskOperation
from youtility_tasks.operations import Preview
from youtility_tasks.operations.kinds import KINDS, UNDO, Act

from . import jobs
from .plain import instant


def operation(row: TaskOperation) -> dict[str, Any]:
    """One operation as it stands."""
    is_undone = row.act != UNDO and KINDS[Act(row.act)].is_undone
    seen = row.done_count + row.refused_count
    return {
        "id": row.pk,
        "tenant": row.tenant_id,
        "act": row.act,
        "filter": row.filter,
        "priority": row.priority,
        "rate_per_s": row.rate_per_s,
        "undoes": row.undoes_id,
        "status": status(row),
        "jobs": row.total_count,
        "done": row.done_count,
        "refused_count": row.refused_count,
        "refused": row.refused,
        "progress": min(1.0, seen / row.total_count) if row.total_count else None,
        "started_by": row.started_by,
        "reason": row.reason,
        "started_at": instant(row.started_at),
        "ended_at": instant(row.ended_at),
        "last_due_at": instant(row.next_at) if row.rate_per_s else None,
        "undo_until": instant(operations.undo_until(row)) if is_undone else None,
    }


def status(row: TaskOperation) -> str:
    """running, ended or stopped."""
    if row.is_stopped:
        return "stopped"
    return "ended" if row.ended_at else "running"


def preview(seen: Preview) -> dict[str, Any]:
    """What an act would be done to."""
    return {
        "act": seen.act,
        "count": seen.count,
        "is_capped": seen.is_capped,
        "by_task": dict(seen.by_task),
        "sample": [jobs.line(each) for each in seen.sample],
        "left_alone": dict(seen.left_alone),
        "can_be_undone": seen.is_undone,
    }
