"""Ids that callers give (`task_id=`): written down with what they mean here."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from django.db.models.functions import Now

from youtility_tasks.models import BridgeCall
from youtility_tasks.tenants import ALL, current_tenant, no_tenant


def remember_job(celery_id: str, job_id: int, task_name: str, *, side: str = "postgres") -> None:
    """This id means this job from now on, in the caller's transaction; what it has meant before runs on."""
    _write(
        [
            BridgeCall(
                tenant_id=current_tenant() or ALL, celery_id=celery_id, job_id=job_id, task_name=task_name, side=side
            )
        ]
    )


def remember_steps(run: int, ids: Sequence[tuple[str, str, str]]) -> None:
    """These ids mean these steps of a run: (id, step, task)."""
    tenant_id = current_tenant() or ALL
    _write(
        [
            BridgeCall(
                tenant_id=tenant_id,
                celery_id=known_as,
                workflow_id=run,
                step=step,
                task_name=task_name,
                side="postgres",
            )
            for known_as, step, task_name in ids
        ]
    )


def _write(rows: Sequence[BridgeCall]) -> None:
    for each in rows:
        each.at = Now()
    if not rows:
        return
    # Without a tenant it is nobody's, and the database wants to be told even that.
    with no_tenant() if current_tenant() is None else contextlib.nullcontext():
        BridgeCall.objects.bulk_create(
            rows,
            update_conflicts=True,
            unique_fields=["tenant_id", "celery_id"],
            update_fields=["job_id", "workflow_id", "step", "task_name", "side", "at"],
        )
