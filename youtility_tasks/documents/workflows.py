"""Runs of workflows, and their steps."""

from __future__ import annotations

from typing import Any

from youtility_tasks.models import TaskWorkflow
from youtility_tasks.workflows.picture import Line

from .plain import instant


def run(each: TaskWorkflow) -> dict[str, Any]:
    """One run."""
    return {
        "id": each.pk,
        "name": each.name,
        "tenant": each.tenant_id,
        "status": each.status,
        "template": each.template_name or None,
        "version": each.template_version,
        "open": each.open_count,
        "failed": each.failed_count,
        "is_overdue": each.is_overdue,
        "started_at": instant(each.started_at),
        "deadline_at": instant(each.deadline_at),
        "ended_at": instant(each.ended_at),
    }


def step(each: Line) -> dict[str, Any]:
    """One step of a run, or one item of a fan-out; `after` are its edges."""
    return {
        "id": each.id,
        "workflow": each.workflow_id,
        "name": each.name,
        "kind": each.kind,
        "status": each.status,
        "shown": each.shown_status,
        "after": dict(each.after),
        "join": each.join,
        "job": each.job_id,
        "open_items": each.open_items,
        "failed_items": each.failed_items,
        "error_class": each.error_class,
        "released_at": instant(each.released_at),
        "ended_at": instant(each.ended_at),
    }
