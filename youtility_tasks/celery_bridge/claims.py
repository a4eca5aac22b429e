"""Which side has a call that was given an id: entered before it is sent, and by itself, so that no rollback of the caller's takes it back."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable

from django.db import connections, transaction
from django.db.models.functions import Now

from youtility_tasks import tenants
from youtility_tasks.conf import settings
from youtility_tasks.models import BridgeCall, BridgeRun, Job, WorkflowStep
from youtility_tasks.status import JobStatus

CELERY, POSTGRES = "celery", "postgres"
RUN = "run by a worker"
"""What the column `step` says of a call of Celery's that one of its workers has begun: a move leaves it alone."""


def holder(celery_id: str, tenant_id: int) -> str | None:
    """Which side has a call with this id that has not ended; None: neither, so that the next one is a call of its own."""
    row = BridgeCall.objects.using(settings().database).filter(tenant_id=tenant_id, celery_id=celery_id).first()
    return None if row is None or _has_ended(row) else row.side


def known(celery_id: str, tenant_id: int) -> str | None:
    """Which side has the call with this id in this tenant; None: neither, as far as anybody has entered it."""
    found = BridgeCall.objects.using(settings().database).filter(tenant_id=tenant_id, celery_id=celery_id)
    return found.values_list("side", flat=True).first()


def enter_for_celery(celery_id: str, task_name: str, tenant_id: int) -> str:
    """Enter that Celery has it, unless somebody was first with a call that has not ended; the side that has it. Whatever becomes of the
    caller's transaction."""

    def enter() -> str:
        with tenants.whose(tenant_id), transaction.atomic(using=settings().database):
            _enter(celery_id, task_name, tenant_id)
            row = (
                BridgeCall.objects.using(settings().database)
                .select_for_update()
                .get(tenant_id=tenant_id, celery_id=celery_id)
            )
            if _has_ended(row):
                again = {
                    "side": CELERY,
                    "job_id": None,
                    "workflow_id": None,
                    "step": "",
                    "task_name": task_name,
                    "at": Now(),
                }
                BridgeCall.objects.using(settings().database).filter(pk=row.pk).update(**again)
                return CELERY
            return row.side

    return _alone(enter)


def claim_run(celery_id: str, task_name: str, tenant_id: int) -> str:
    """Enter that a worker of Celery's begins it now, unless it was moved; the side that has it. Waits for a move that is at it."""

    def claim() -> str:
        with tenants.whose(tenant_id), transaction.atomic(using=settings().database):
            _enter(celery_id, task_name, tenant_id)
            mine = BridgeCall.objects.using(settings().database).filter(tenant_id=tenant_id, celery_id=celery_id)
            mine.filter(side=CELERY).update(step=RUN)
            return known(celery_id, tenant_id) or CELERY

    return _alone(claim)


def hold_for_move(celery_id: str, task_name: str, tenant_id: int) -> BridgeCall:
    """Its row, made if need be and held until the caller's transaction ends: no worker begins it meanwhile."""
    _enter(celery_id, task_name, tenant_id)
    rows = BridgeCall.objects.using(settings().database).select_for_update()
    return rows.get(tenant_id=tenant_id, celery_id=celery_id)


def _enter(celery_id: str, task_name: str, tenant_id: int) -> str:
    with tenants.whose(tenant_id), transaction.atomic(using=settings().database):
        row = BridgeCall(tenant_id=tenant_id, celery_id=celery_id, task_name=task_name, side=CELERY)
        BridgeCall.objects.using(settings().database).bulk_create([row], ignore_conflicts=True)
        return known(celery_id, tenant_id) or CELERY


def _has_ended(row: BridgeCall) -> bool:
    """Whether what its id means has come to its end."""
    database = settings().database
    if row.side == CELERY:
        runs = BridgeRun.objects.using(database).filter(tenant_id=row.tenant_id, celery_id=row.celery_id, side="celery")
        return runs.filter(finished_at__gte=row.at).exclude(outcome="retry").exists()
    if row.job_id is not None:
        live = Job.objects.using(database).filter(pk=row.job_id, status__in=[JobStatus.TODO, JobStatus.DOING])
        return not live.exists()
    if row.workflow_id is not None:
        steps = WorkflowStep.objects.using(database).filter(workflow_id=row.workflow_id, name=row.step, group_id=None)
        return not steps.filter(ended_at=None).exists()
    return False


def _alone(do: Callable[[], str]) -> str:
    """Call it on a connection of its own, whose commit has nothing to do with the caller's transaction: a thread has one."""
    if not connections[settings().database].in_atomic_block:
        return do()
    found: list[str] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            found.append(do())
        except BaseException as error:
            failed.append(error)
        finally:
            connections[settings().database].close()

    thread = threading.Thread(target=contextvars.copy_context().run, args=(run,))
    thread.start()
    thread.join()
    for error in failed:
        raise error
    return found[0]
