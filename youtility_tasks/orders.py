"""What a worker process is told: to be quiet, to go on, to leave; and how it did. It obeys at its next heartbeat.

An order is for one life of one process: a worker that died and was started anew is another one. Each is in the audit log, in
its own transaction. A person needs the permission `membership.OPS`: NotAllowed otherwise.
"""

from __future__ import annotations

import logging
from datetime import timedelta

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from . import audit, membership
from .conf import settings
from .errors import Refused, WorkerNotFound
from .models import TaskWorker, WorkerHeartbeat
from .status import Order, WorkerStatus

_GONE = {WorkerStatus.STOPPED, WorkerStatus.LOST}

_LATELY = timedelta(hours=1)

logger = logging.getLogger(__name__)


def quiet(worker_id: int, reason: str = "") -> TaskWorker:
    """Let it claim nothing more; what it runs goes on, what it has not begun goes back. Again: only the reason changes.

    Raises WorkerNotFound, or Refused for one that has gone or is leaving.
    """
    return _tell("quiet worker", worker_id, Order.QUIET, reason)


def drain(worker_id: int, reason: str = "") -> TaskWorker:
    """Let it end what it runs within `shutdown_grace_s`, hand the rest back, and leave; its supervisor starts no other.

    Raises as `quiet`.
    """
    return _tell("drain worker", worker_id, Order.DRAIN, reason)


def resume(worker_id: int, reason: str = "") -> TaskWorker:
    """Let a quiet one claim again. Raises as `quiet`, and Refused for one that was told nothing."""
    return _tell("resume worker", worker_id, Order.NONE, reason)


def find(worker_id: int) -> TaskWorker:
    """One worker, with its silence. Raises WorkerNotFound."""
    found = TaskWorker.objects.using(settings().database).with_silence().filter(pk=worker_id).first()
    if found is None:
        raise WorkerNotFound(worker_id)
    return found


def could_be_told(worker_id: int, order: Order) -> TaskWorker:
    """The worker, if it takes this order now; changes nothing. Raises as `quiet`."""
    found = find(worker_id)
    _must_listen(found, order)
    return found


def lately(worker_id: int) -> list[WorkerHeartbeat]:
    """How it did in the last hour, minute by minute, oldest first; nothing of one that is not there."""
    since = timezone.now() - _LATELY
    return list(WorkerHeartbeat.objects.using(settings().database).of_worker(worker_id, since=since))


def _tell(act: str, worker_id: int, order: Order, reason: str) -> TaskWorker:
    membership.allow(act, None)
    with transaction.atomic(using=settings().database):
        row = TaskWorker.objects.using(settings().database).select_for_update().filter(pk=worker_id).first()
        if row is None:
            raise WorkerNotFound(worker_id)
        _must_listen(row, order)
        before = {"order": row.told or None, "status": row.status}
        row.told = order.value
        row.told_by = audit.actor() if order else ""
        row.told_reason = audit.storable(reason) if order else ""
        row.told_at = Now() if order else None  # the database's clock
        row.save(using=settings().database, update_fields=["told", "told_by", "told_reason", "told_at"])
        after = {"order": order.value or None}
        audit.write(act, f"{row} on queue {row.queue_name}"[:300], reason=reason, before=before, after=after)
    logger.info("%s by hand worker=%s queue=%s", act, worker_id, row.queue_name)
    return find(worker_id)


def _must_listen(row: TaskWorker, order: Order) -> None:
    if row.status in _GONE:
        raise Refused(
            f"Worker {row.pk} ({row.queue_name}) has gone: it is {row.status}. `workers` lists those that run."
        )
    if not row.token:
        raise Refused(
            f"Worker {row.pk} is procrastinate's own and takes no orders. Stop its process, or pause its queue."
        )
    if row.told == Order.DRAIN and order is not Order.DRAIN:
        raise Refused(
            f"Worker {row.pk} ({row.queue_name}) was told to leave by {row.told_by}, and that cannot be taken back. "
            "`run_postgresql_worker` starts another."
        )
    if order is Order.NONE and not row.told:
        raise Refused(f"Worker {row.pk} ({row.queue_name}) was told nothing, and works. `resume QUEUE` ends a pause.")
