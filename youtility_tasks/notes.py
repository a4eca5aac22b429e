"""What a task notes of its way while it runs: how far it is, for people, and where its next attempt goes on, for itself."""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from . import payload, queries, tenants
from .conf import settings
from .errors import CheckpointInTransaction, LeaseLost
from .models import Job
from .models.jobs import JobQuerySet
from .tasks_api import TaskResult

REST_S = 0.5
"""How far a job is, is written at most this often."""
LONGEST_NOTE = 200
"""Characters."""
LARGEST_CHECKPOINT = 64 * 1024
"""Bytes of JSON."""

_PLAIN = frozenset({int, float, type(None)})

Row = tuple[int, int, float, float | None, str]
"""Job id, claim number, done, total, note."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job's latest attempt is, as it said itself."""

    done: float
    total: float | None
    """None: nobody knows how much there is."""
    note: str
    at: datetime

    @property
    def percent(self) -> float | None:
        """0 to 100; None without a total."""
        return None if not self.total or self.total < 0 else min(100.0, max(0.0, 100 * self.done / self.total))

    def __str__(self) -> str:
        said = f"{self.done:.12g}" if self.total is None else f"{self.done:.12g} of {self.total:.12g}"
        share = "" if self.percent is None else f" ({self.percent:.0f} %)"
        return f"{said} {self.note}".rstrip() + share


class Notes:
    """Of one attempt. Whoever notes nothing pays for this object alone."""

    __slots__ = ("_claim_number", "_job_id", "_latest", "_scrub", "_tenant_id", "_told", "_told_at", "_worker_id")

    def __init__(
        self, job_id: int, worker_id: int, claim_number: int, *, tenant_id: int, scrub: Callable[[str], str] = str
    ) -> None:
        self._tenant_id = tenant_id
        self._job_id, self._worker_id, self._claim_number, self._scrub = job_id, worker_id, claim_number, scrub
        self._latest: tuple[Any, Any, Any] | None = None
        self._told: tuple[Any, Any, Any] | None = None
        self._told_at = -math.inf

    def progress(self, done: Any, total: Any, note: Any) -> None:
        """Remember it; somebody asks for it now and then."""
        if type(done) in _PLAIN and type(total) in _PLAIN and type(note) is str:
            self._latest = done, total, note
            return
        # Made plain here: what a task's own types do when they are asked, they do to the task.
        found = checked((done, total, note))
        if found is not None:
            self._latest = found
        else:
            self._leave_out((done, total, note))

    def has_news(self) -> bool:
        """Whether there is something to be told now: not what was told already, and not a moment after that."""
        latest = self._latest
        return latest is not None and latest is not self._told and time.monotonic() >= self._told_at + REST_S

    def take(self) -> Row | None:
        """The latest, which counts as told from now on; None if there are no news."""
        if not self.has_news():
            return None
        self._told, self._told_at = self._latest, time.monotonic()
        return None if self._told is None else self._row(self._told)

    def rest(self) -> Row | None:
        """As the attempt ends: the latest, unless it was told."""
        latest = self._latest
        return None if latest is None or latest is self._told else self._row(latest)

    def _row(self, said: tuple[Any, Any, Any]) -> Row | None:
        found = checked(said)
        if found is None:
            self._leave_out(said)
            return None
        done, total, note = found
        return self._job_id, self._claim_number, done, total, self._scrub(note)

    def _leave_out(self, said: tuple[Any, Any, Any]) -> None:
        logger.warning("progress is no number and left out id=%s said=%.80s", self._job_id, payload.safe(repr, said))

    def checkpoint(self, data: Any) -> None:
        """See `TaskContext.checkpoint`."""
        if queries.in_transaction():
            raise CheckpointInTransaction(
                "context.checkpoint() inside a transaction: it would last although that may be rolled back, and the next attempt would "
                "leave out what was never done. Call it behind the `atomic` block."
            )
        what = f"Job {self._job_id}"
        limit = settings().max_args_depth
        text = payload.check(what, data, max_bytes=LARGEST_CHECKPOINT, max_depth=limit, root="checkpoint")
        told = {"job_id": self._job_id, "worker_id": self._worker_id, "claim_number": self._claim_number, "data": text}
        with self._own_tenant():
            is_ours = queries.fetch("write_checkpoint", told)[0][0]
        if not is_ours:
            raise LeaseLost(
                f"{what} is no longer this worker's: somebody else may run it by now. Its checkpoint was not written."
            )

    def last_checkpoint(self) -> Any:
        """See `TaskContext.last_checkpoint`."""
        with self._own_tenant():
            return kept_by(self._job_id)

    def _own_tenant(self) -> AbstractContextManager[object]:
        """A sweep may be inside one of the tenants that it goes through; its job is nobody's."""
        return tenants.no_tenant() if self._tenant_id == tenants.ALL else tenants.tenant(self._tenant_id)


class Remembered(Notes):
    """Without a database, for a test that calls a task's function itself: what it notes is there to be looked at."""

    __slots__ = ("data", "reported")

    def __init__(self, data: Any = None) -> None:
        super().__init__(0, 0, 0, tenant_id=tenants.ALL)
        self.data = data
        self.reported: list[tuple[Any, Any, Any]] = []

    def progress(self, done: Any, total: Any, note: Any) -> None:
        self.reported.append((done, total, note))

    def checkpoint(self, data: Any) -> None:
        limit = settings().max_args_depth
        text = payload.check("A job", data, max_bytes=LARGEST_CHECKPOINT, max_depth=limit, root="checkpoint")
        self.data = json.loads(text)

    def last_checkpoint(self) -> Any:
        return self.data


def checked(said: tuple[Any, Any, Any]) -> tuple[float, float | None, str] | None:
    """What can be stored of it; None if done or total is no number."""
    done, total, note = said
    try:
        found = float(done), None if total is None else float(total)
    except Exception:  # whatever the task has given, it must not be what fails
        return None
    if not all(each is None or math.isfinite(each) for each in found):
        return None
    return found[0], found[1], payload.clean_text(payload.safe(str, note), limit=LONGEST_NOTE)


def kept_by(job_id: int) -> Any:
    """The checkpoint of a job that the current tenant may see; None if it has none."""
    rows = queries.fetch("read_checkpoint", {"job_id": job_id})
    found = rows[0][0] if rows else None
    return json.loads(found) if isinstance(found, str) else found


def of_job(job: Job) -> Progress | None:
    """How far its latest attempt is or, once it has ended, was; None if it has not said so. An operator sees no note."""
    kept = job.progress
    if not isinstance(kept, dict) or kept.get("claim_number") != job.claim_number:
        return None  # of an earlier attempt
    note = "" if "progress_note" in job.get_deferred_fields() else job.progress_note or ""
    return Progress(kept["done"], kept["total"], note, datetime.fromisoformat(kept["at"]))


def progress_of(job: TaskResult[Any] | int | str) -> Progress | None:
    """How far a job is (by its TaskResult or id), as the current tenant may see it; None if it has not said so, or has succeeded."""
    wanted = str(job.id if isinstance(job, TaskResult) else job)
    if not wanted.isdecimal() or len(wanted) > 18:
        return None
    visible: JobQuerySet = Job.objects.for_tenant(tenants.current_tenant())
    row = visible.filter(pk=int(wanted)).only("progress", "progress_note", "claim_number").first()
    return None if row is None else of_job(row)
