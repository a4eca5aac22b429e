"""Carries operations on: each batch is one transaction that acts on jobs and notes how far that has come.

Whoever dies in it has done nothing of it. Two that carry one on take its batches in turn: who comes second leaves it alone for now.
"""

from __future__ import annotations

import contextlib
import json
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q

from youtility_tasks import audit, listing, queries, tenants
from youtility_tasks.conf import settings
from youtility_tasks.dead_letters import moving
from youtility_tasks.dead_letters.editing import Letter
from youtility_tasks.declaration import LEAST_URGENT
from youtility_tasks.models import Job, OperationBatch, TaskOperation
from youtility_tasks.models.jobs import JobQuerySet
from youtility_tasks.status import JobStatus
from youtility_tasks.tenancy import roles
from youtility_tasks.tenants import current_tenant

from . import choosing
from .kinds import KINDS, UNDO, Act, Kind

BATCH = 500
"""Jobs that one transaction acts on."""
WINDOW = 5_000
"""Jobs that one transaction looks inside for what no index knows."""
MOST_REFUSED = 100
"""Of so many jobs of an operation it is kept which they are and why; of the others how many."""
IDLE_MS = 10_000
"""A process that is frozen between two statements of a batch keeps the operation from others so long."""
_STAYS = {
    "moved": "it has moved on since: nothing was put back.",
    "step": "it is a step of a workflow, which has gone on: `workflow retry` is for that.",
    "forgotten": "its history holds its arguments no longer.",
    "inactive": "its tenant is not active.",
    "taken": "another job stands for its unique key or queueing lock.",
}

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Batch:
    """What one batch has come to."""

    after_id: int
    is_over: bool
    done: int = 0
    due: int = 0
    """Jobs of it that came due one after the other."""
    refused: dict[int, str] = field(default_factory=dict)


def carry_on(operation_id: int, tenant_id: int | None, *, most_s: float = 2.0, batch: int = BATCH) -> bool | None:
    """Do batches of an operation for so many seconds, as a task of its tenant or as an operator: True when it has ended.

    False: there is more. None: somebody else is at it, or has ended it. Raises ConfigurationError where `roles` has no operator.
    """
    ends = time.monotonic() + most_s
    with _for(tenant_id):
        while True:
            over = _one(operation_id, batch)
            if over is not False or time.monotonic() >= ends:
                return over


@contextlib.contextmanager
def _for(tenant_id: int | None) -> Iterator[None]:
    with tenants.nobody() if tenant_id is None else tenants.tenant(tenant_id):
        if tenant_id is None and roles.acting_as() != "ops":
            with roles.acting_here("ops"):
                yield
        else:
            yield


def _one(operation_id: int, n: int) -> bool | None:
    with transaction.atomic(using=settings().database):
        held = queries.fetch("hold_operation", {"operation_id": operation_id, "idle_ms": IDLE_MS})
        if not held:
            return None
        next_at = held[0][0]
        row = TaskOperation.objects.using(settings().database).get(pk=operation_id)
        done = _undo(row) if row.act == UNDO else _act(row, n, next_at)
        _note(row, done, next_at)
    _tell(row, done)
    return done.is_over


def _tell(row: TaskOperation, done: Batch) -> None:
    """A line a batch that did something."""
    if done.done or done.refused or done.is_over:
        logger.info(
            "operation id=%s act=%s done=%s refused=%s%s",
            row.pk, row.act, done.done, len(done.refused), " ended" if done.is_over else "",
        )  # fmt: skip


def _note(row: TaskOperation, done: Batch, next_at: datetime) -> None:
    room = max(0, MOST_REFUSED - row.refused_count)
    told = [{"job": job_id, "why": why} for job_id, why in sorted(done.refused.items())[:room]]
    spacing_s = 1 / row.rate_per_s if row.rate_per_s else 0.0
    ((done_count, refused_count),) = queries.fetch(
        "note_operation",
        {
            "operation_id": row.pk,
            "after_id": done.after_id,
            "done": done.done,
            "refused_count": len(done.refused),
            "refused": json.dumps(told),
            "next_at": next_at + timedelta(seconds=done.due * spacing_s),
            "is_over": done.is_over,
        },
    )
    if done.is_over:
        with audit.acting(row.started_by):
            after = {"operation": row.pk, "act": row.act, "done": done_count, "refused": refused_count}
            audit.write("end operation", str(row), tenant_id=row.tenant_id, reason=row.reason, after=after)


# -- acting


def _act(row: TaskOperation, n: int, next_at: datetime) -> Batch:
    kind = KINDS[Act(row.act)]
    ids, after_id, is_over = _choose(row, kind, n)
    done = Batch(after_id, is_over)
    if not ids:
        return done
    wanted = {"operation_id": row.pk, "job_ids": ids, "status": kind.status, "keeps": kind.is_undone}
    ((held,),) = queries.fetch("operation_batch", {**wanted, "tenant_id": current_tenant()})
    if held:
        _change(row, held, next_at, done)
    return done


def _choose(row: TaskOperation, kind: Kind, n: int) -> tuple[list[int], int, bool]:
    """The next jobs, the id up to which it then has looked, and whether there are no more."""
    mine = choosing.read(row.filter, tenant_id=row.tenant_id, statuses=(kind.status,))
    left = choosing.of_status(mine, kind).filter(pk__gt=row.after_id, pk__lte=row.newest_id).order_by("pk")
    if kind.status is JobStatus.FAILED:
        left = left.filter(Q(failed_at__lte=row.started_at) | Q(failed_at=None))
    if not mine.looks_inside:
        ids = _ids(left, n)
        return ids, ids[-1] if ids else row.after_id, len(ids) < n
    window = _ids(left, WINDOW)
    if not window:
        return [], row.after_id, True
    ids = _ids(listing.looking_inside(left.filter(pk__lte=window[-1]), mine), n)
    is_looked_through = len(ids) < n
    return ids, window[-1] if is_looked_through else ids[-1], is_looked_through and len(window) < WINDOW


def _ids(found: JobQuerySet, n: int) -> list[int]:
    return list(found.values_list("pk", flat=True)[:n])


def _change(row: TaskOperation, held: list[int], next_at: datetime, done: Batch) -> None:
    """Act on jobs that this transaction holds; what it leaves alone, it says why."""
    act, common = Act(row.act), {"job_ids": held, "tenant_id": current_tenant()}
    spacing_s = 1 / row.rate_per_s if row.rate_per_s else 0.0
    if act is Act.RETRY:
        moved = moving.Moved()
        letters = Letter.read(Job.objects.filter(pk__in=held), with_args=False)
        moving.move(letters, {}, first_at=next_at, spacing_s=spacing_s, tenant_id=current_tenant(), into=moved)
        done.done = done.due = len(moved.done)
        done.refused |= moved.refused
        return
    match act:
        case Act.CANCEL | Act.DISCARD:
            rows = queries.fetch("cancel_jobs", {**common, "from_status": KINDS[act].status, "reason": row.reason})
        case Act.ABORT:
            rows = queries.fetch("abort_jobs", common)
        case Act.PRIORITY:
            rows = queries.fetch("prioritize_jobs", {**common, "stored": LEAST_URGENT + 1 - (row.priority or 0)})
        case Act.RUN_NOW:
            rows = queries.fetch("run_jobs_now", {**common, "first_at": next_at, "spacing_s": spacing_s})
            _wake(rows)
            done.due = len(rows)
    done.done = len(rows)


def _wake(rows: list[tuple[Any, ...]]) -> None:
    for queue_name in sorted({each[2] for each in rows}):
        queries.fetch("notify_queue", {"queue_name": queue_name})


# -- undoing


def _undo(row: TaskOperation) -> Batch:
    """The next batch of the operation that this one undoes."""
    found = OperationBatch.objects.filter(operation_id=row.undoes_id, pk__gt=row.after_id).order_by("pk")
    batches = list(found.values_list("pk", flat=True)[:2])
    done = Batch(batches[0] if batches else row.after_id, len(batches) < 2)
    if batches:
        rows = queries.fetch("undo_batch", {"batch_id": batches[0], "tenant_id": current_tenant()})
        for job_id, task_name, _, _, refused in rows:
            if refused is not None:
                done.refused[job_id] = f"Job {job_id} ({task_name}) stays as it is: {_STAYS[refused]}"
        done.done = len(rows) - len(done.refused)
        _wake([each for each in rows if each[4] is None])
    return done
