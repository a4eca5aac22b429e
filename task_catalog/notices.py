"""Tells the administrators, once and without getting in anybody's way.

`promise` goes into the caller's transaction, so a notice exists if and only if its cause was stored. `send_pending` is
called after the commit by the task that promised it, and by every later run, so a mail server that is down delays a
notice and never loses it. Both work for the current tenant.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass

from django.db import transaction

from task_catalog.conf import catalog
from task_catalog.outbox import Outbox
from task_catalog.ports import clock, mail
from youtility_tasks import FinalFailure, effects

logger = logging.getLogger(__name__)

PREFIX = "notice:"
TASK_HEADER = "admin_notice"


@dataclass(frozen=True, slots=True)
class _Concern:
    job_id: int
    key: str
    words: str


_concern: ContextVar[_Concern | None] = ContextVar("task_catalog_concern", default=None)


def promise(key: str, subject: str, lines: Sequence[str]) -> bool:
    """Note down, in the caller's transaction, that the administrators shall hear of this; True the first time.

    `key` says what the notice is about and how often it may be sent: `bad-cron:17:2025-03-03` is one a day.
    """
    return effects.promise(PREFIX + key, payload={"subject": subject, "lines": list(lines)})


def concerns(job_id: int, key: str, words: str) -> None:
    """Say what the running job is about, should it fail for good: then there is a notice of its own for each `key`.

    For failures of which each must be known, as a permit whose vendor was not told that work must stop.
    """
    _concern.set(_Concern(job_id, key, words))


def promise_for_failure(failure: FinalFailure) -> None:
    """Note down that a task has failed for good: one notice a task and hour, whoever the tenant (catalog.md 2.0, Retry).

    A job that said what it concerns gets a notice of its own, with those words.
    """
    concern = _concern.get()
    lines = [f"Job {failure.job_id} of client {failure.tenant_id or 'all'} failed for good with {failure.error_class}."]
    if concern is not None and concern.job_id == failure.job_id:
        key, subject = f"{failure.task.name}:{concern.key}", f"{failure.task.name} failed: {concern.words}"
        lines.append(f"It was about {concern.words}. Whoever waits for this mail has to be told by other means.")
    else:
        key, subject = f"{failure.task.name}:{clock.now():%Y-%m-%dT%H}", f"{failure.task.name} failed"
        lines.append("Others of this task may have failed in this hour: manage_task_queue dead-letters lists them.")
    with transaction.atomic():
        promise(f"failed:{key}", subject, lines)


def send_pending() -> int:
    """Mail what is promised, outside a transaction; returns how many notices left.

    Best effort: a notice that cannot be sent now stays promised, and the caller's own work is never failed by it.
    Without `TASK_CATALOG["admin_emails"]` notices are dropped with a line in the log.
    """
    outbox = Outbox(PREFIX, _compose)
    outbox.send()
    for warning in outbox.warnings:
        logger.warning("admin notice: %s", warning)
    for key, error in outbox.failures:
        logger.warning("admin notice waits key=%s error=%s", key, error)
    return outbox.sent


def _compose(promised: effects.Pending) -> mail.Message:
    return mail.Message(
        task=TASK_HEADER,
        key=promised.key,
        to=catalog().admin_emails,
        template="admin_notice",
        context={
            "notice": promised.payload["subject"],
            "lines": promised.payload["lines"],
            "company_name": catalog().company_name,
        },
    )
