"""Why a job does not run, what would let it run, and when that may be: for an operator, or for the job's own tenant.

Looked for in the order in which one reason hides the next. Whatever waits beside the job is counted up to `COUNTED_UP_TO`, by
index: the answer costs the same beside a million jobs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from . import history, holds, metrics, queries, registry
from .conf import settings
from .errors import JobNotFound
from .history import JobStory
from .models import Job, QueueControl, TaskExecutionHistory, TaskWorker
from .status import JobStatus, Order
from .tenancy import roles
from .tenancy.rights import USERS
from .tenants import current_tenant

COUNTED_UP_TO = 10_000
_PACE_OF = 5_000
"""Attempts that an estimate looks back at."""
_FEWEST = 20
"""Attempts without which there is no estimate."""
_OWN_MS = 0.5
"""What a job costs besides its run."""


class Because(StrEnum):
    """The reason, for programs."""

    RUNS = "runs"
    ENDED = "ended"
    DEAD_LETTER = "dead_letter"
    UNKNOWN_TASK = "unknown_task"
    SCHEDULED = "scheduled"
    LOCK = "lock"
    PAUSED = "paused"
    RUNNING_LIMIT = "running_limit"
    RATE_LIMIT = "rate_limit"
    NO_WORKER = "no_worker"
    BUSY = "busy"
    READY = "ready"
    """Nothing keeps it: a worker takes it in a moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """The answer."""

    job_id: int
    task_name: str
    status: JobStatus
    because: Because
    sentence: str
    facts: dict[str, Any] = field(default_factory=dict)
    """What the sentence says, for programs: names and numbers, instants as datetime."""
    expected_start_at: datetime | None = None
    """When it may start, as far as that can be told; by the database's clock."""


@dataclass(frozen=True, slots=True)
class _Found:
    because: Because
    sentence: str
    facts: dict[str, Any] = field(default_factory=dict)
    start_at: datetime | None = None


def why(job_id: int) -> Why:
    """Why this job does not run now; that it runs, or has ended, is an answer, too.

    Inside `with tenant(id):` only that tenant's jobs exist. Raises JobNotFound.
    """
    known = history.story(job_id, tenant_id=current_tenant())
    if known is None:
        raise JobNotFound(job_id)
    return of(known)


def of(known: JobStory) -> Why:
    """The same of a job that has been read already."""
    job_id, now = known.job_id, metrics.database_clock()
    found = _stands(known, now)
    if found is None and known.job is not None:
        found = next(filter(None, (look(known.job, now) for look in _LOOKS)))
    assert found is not None  # noqa: S101 - a job that has left the queue has an attempt that says how
    keys = holds.held(job_id, known.tenant_id, known.job)
    return Why(
        job_id=job_id,
        task_name=known.task_name,
        status=known.status,
        because=found.because,
        sentence=" ".join([found.sentence, *(each.sentence for each in keys)]),
        facts=found.facts | ({"holds": [asdict(each) for each in keys]} if keys else {}),
        expected_start_at=found.start_at,
    )


# -- it does not wait


def _stands(known: JobStory, now: datetime) -> _Found | None:
    job, last = known.job, known.attempts[-1] if known.attempts else None
    if known.status == JobStatus.TODO:
        return None
    if job is not None and known.status == JobStatus.DOING:
        return _runs(job, now)
    if known.status == JobStatus.FAILED and job is not None:
        error = (
            f" ({': '.join(filter(None, [last.error_class.rpartition('.')[2], _said(last)]))})"
            if last and last.error_class
            else ""
        )
        return _Found(
            Because.DEAD_LETTER,
            f"It failed for good {_at(job.failed_at)}{error} and is a dead letter: `retry {job.pk}` gives it new attempts, "
            f"`discard {job.pk}` removes it.",
            {"failed_at": job.failed_at, "error_class": last.error_class if last else ""},
        )
    ended_at = last.finished_at if last else None
    return _Found(
        Because.ENDED,
        f"It has ended: {known.status} {_at(ended_at)}." if ended_at else f"It has ended: {known.status}.",
        {"finished_at": ended_at, "outcome": last.outcome if last else None},
    )


def _said(last: TaskExecutionHistory) -> str:
    """What the error says; nothing to an operator, who may not read it."""
    return "" if "error_message" in last.get_deferred_fields() else _short(last.error_message)


def _runs(job: Job, now: datetime) -> _Found:
    worker = None
    if job.worker_id is not None and _sees_workers():
        worker = TaskWorker.objects.filter(pk=job.worker_id).first()
    facts: dict[str, Any] = {"claimed_at": job.claimed_at, "worker_id": job.worker_id}
    where = ""
    if worker is not None:
        facts |= {"host": worker.host, "pid": worker.pid}
        where = f" in worker {worker.pk} ({worker.host}:{worker.pid})"
    since = (
        f" since {_clock(job.claimed_at)}, for {_span((now - job.claimed_at).total_seconds())}"
        if job.claimed_at
        else ""
    )
    more = " It was asked to end." if job.abort_requested else ""
    if worker is not None and (now - worker.heartbeat_at).total_seconds() > settings().lease_s:
        facts["silent_s"] = (now - worker.heartbeat_at).total_seconds()
        more += f" That worker has been silent for {_span(facts['silent_s'])}: any live worker takes the job over."
    return _Found(Because.RUNS, f"It runs{where}{since}.{more}", facts, job.claimed_at)


# -- it waits


def _unknown(job: Job, now: datetime) -> _Found | None:
    if registry.resolve(job.task_name) is not None:
        return None
    return _Found(
        Because.UNKNOWN_TASK,
        f"No code here declares its task {job.task_name!r}: workers put it back until one does. Deploy that code, give the "
        "renamed task its old name in `aliases`, or cancel the job.",
        {"task": job.task_name, "scheduled_at": job.scheduled_at},
    )


def _scheduled(job: Job, now: datetime) -> _Found | None:
    if job.scheduled_at is None or job.scheduled_at <= now:
        return None
    wait = _span((job.scheduled_at - now).total_seconds())
    what = f"It waits for attempt {job.attempts + 1}, which is" if job.attempts else "It is"
    return _Found(
        Because.SCHEDULED,
        f"{what} scheduled for {_clock(job.scheduled_at)}, in {wait}.",
        {"scheduled_at": job.scheduled_at, "in_s": (job.scheduled_at - now).total_seconds(), "attempts": job.attempts},
        job.scheduled_at,
    )


def _locked(job: Job, now: datetime) -> _Found | None:
    if job.lock is None:
        return None
    first, *_ = queries.fetch("why_lock", {"lock": job.lock})
    status, other, task_name, queue_name, tenant_id, claimed_at, scheduled_at = first
    if other == job.pk:
        return None
    facts: dict[str, Any] = {"lock": job.lock, "status": status}
    who = "a job of another tenant"
    if current_tenant() in (None, tenant_id):
        facts |= {"job_id": other, "task": task_name, "queue": queue_name}
        who = f"job {other} ({task_name})"
    if status == JobStatus.DOING:
        since = f", which has run for {_span((now - claimed_at).total_seconds())}" if claimed_at else ""
        return _Found(Because.LOCK, f"It waits for its lock {job.lock!r}: {who} holds it{since}.", facts)
    later = f", and is scheduled for {_clock(scheduled_at)}" if scheduled_at is not None and scheduled_at > now else ""
    facts["scheduled_at"] = scheduled_at
    return _Found(
        Because.LOCK, f"It waits for its lock {job.lock!r}: {who} is the first of those that wait for it{later}.", facts
    )


def _kept(job: Job, now: datetime) -> _Found | None:
    rows = queries.fetch("why_controls", {**_place(job), "task_name": job.task_name, "parked_by": job.parked_by})
    if not rows:
        return None
    found = [_control(row, now) for row in rows]
    first = found[0]
    if len(found) > 1:
        also = "; ".join(each.facts["control"] for each in found[1:])
        first = _Found(
            first.because,
            f"{first.sentence} So do: {also}.",
            first.facts | {"also": [each.facts for each in found[1:]]},
        )
    return first


def _control(row: tuple[Any, ...], now: datetime) -> _Found:
    (
        control_id, queue_name, task_name, tenant_id, max_running, rate_per_s, is_shut, until, paused_at, paused_by, reason,
        opens_in, _, running, before,
    ) = row  # fmt: skip
    target = str(QueueControl(queue_name=queue_name, task_name=task_name, tenant_id=tenant_id))
    facts: dict[str, Any] = {
        "control": target,
        "control_id": control_id,
        "queue": queue_name or None,
        "task": task_name or None,
        "tenant": tenant_id,
        "parked_before": before,
    }
    if is_shut:
        by = f" by {paused_by}" if paused_by else ""
        since = f" since {_clock(paused_at)}" if paused_at else ""
        because = f": {_short(reason)}" if reason else ""
        ends = f"It resumes {_clock(until)}." if until else "It stays so until somebody resumes it."
        facts |= {"paused_at": paused_at, "paused_by": paused_by, "reason": reason, "paused_until": until}
        return _Found(Because.PAUSED, f"It waits: {target} is paused{by}{since}{because}. {ends}", facts, until)
    if max_running is not None and (running >= max_running or rate_per_s is None):
        facts |= {"running": running, "max_running": max_running}
        return _Found(
            Because.RUNNING_LIMIT,
            f"It waits for the limit of {target}: {running} of {max_running} {'runs' if running == 1 else 'run'}.{_behind(before)}",
            facts,
        )
    in_s = (opens_in or 0) + before / rate_per_s
    facts |= {"rate_per_s": rate_per_s, "next_start_in_s": opens_in or 0}
    return _Found(
        Because.RATE_LIMIT,
        f"It waits for the rate of {target} ({rate_per_s:g} a second): next start in {_span(opens_in or 0)}.{_behind(before)}",
        facts,
        now + timedelta(seconds=in_s) if before < COUNTED_UP_TO else None,
    )


def _behind(before: int) -> str:
    return f" {_many(before)} {'job is' if before == 1 else 'jobs are'} kept by it before this one." if before else ""


def _worked(job: Job, now: datetime) -> _Found:
    slots = slots_of(job.queue_name)
    return _in_turn(job, now, slots) if slots else _unserved(job)


def _unserved(job: Job) -> _Found:
    its = TaskWorker.objects.filter(queue_name=job.queue_name).order_by("-heartbeat_at")
    quiet = its.heard(settings().lease_s).filter(told=Order.QUIET).first() if _sees_workers() else None
    if quiet is not None:
        because = f": {_short(quiet.told_reason)}" if quiet.told_reason else ""
        return _Found(
            Because.NO_WORKER,
            f"No worker claims from its queue {job.queue_name}: worker {quiet.pk} was told to be quiet by {quiet.told_by} "
            f"{_at(quiet.told_at)}{because}. `workers resume {quiet.pk}` lets it claim again.",
            {"queue": job.queue_name, "quiet_worker_id": quiet.pk, "told_by": quiet.told_by},
        )
    last = its.first() if _sees_workers() else None
    seen = f"the last one was seen {_at(last.heartbeat_at)}" if last else "none has been seen"
    seen = f"; {seen}" if _sees_workers() else ""
    return _Found(
        Because.NO_WORKER,
        f"No worker serves its queue {job.queue_name}{seen}. Start `run_postgresql_worker --queues {job.queue_name}`.",
        {"queue": job.queue_name, "last_seen_at": last.heartbeat_at if last else None},
    )


def slots_of(queue_name: str) -> int:
    """How many jobs of a queue its live workers run at once."""
    served = dict(queries.fetch("served", {"lease_s": settings().lease_s}))
    return int(served.get(queue_name, 0))


def _sees_workers() -> bool:
    """Who works where is an operator's to see."""
    return roles.acting_as() not in USERS


def _in_turn(job: Job, now: datetime, slots: int) -> _Found:
    ((urgent, own, others, tenants, running),) = queries.fetch("why_before", _place(job))
    before = urgent + own + others
    facts = {
        "queue": job.queue_name,
        "slots": slots,
        "before": before,
        "more_urgent": urgent,
        "own_tenant": own,
        "other_tenants_turns": others,
        "counted_up_to": COUNTED_UP_TO,
    }
    is_exact = max(urgent, own, others) < COUNTED_UP_TO
    pace = _pace(job.queue_name, slots)
    start_at = now + timedelta(seconds=(before + 1) / pace) if pace and is_exact else None
    if is_exact and running + before < slots:
        return _Found(
            Because.READY, f"Nothing keeps it: a worker of {job.queue_name} takes it in a moment.", facts, now
        )
    counted = [
        f"{_many(urgent)} more urgent" if urgent else "",
        f"{_many(own)} of its own tenant" if own else "",
        f"{_many(others)} of {tenants} other tenant{'s' if tenants > 1 else ''} in turn" if others else "",
    ]
    stand = ", ".join(filter(None, counted))
    queue = f": {_many(before, is_exact)} jobs before it ({stand})" if before else ": it is the next one"
    when = f" It may start {_clock(start_at)}, in about {_span((start_at - now).total_seconds())}." if start_at else ""
    return _Found(
        Because.BUSY, f"The workers of {job.queue_name} are busy ({slots} slots){queue}.{when}", facts, start_at
    )


def _pace(queue_name: str, slots: int) -> float | None:
    """Jobs a second that the queue starts while jobs wait; None when the last hour does not tell."""
    ((count, run_ms, waited, seconds),) = queries.fetch("why_pace", {"queue_name": queue_name, "most": _PACE_OF})
    if count < _FEWEST or run_ms is None or not slots:
        return None
    if waited > 0.9 * count and seconds > 0:
        return float(count / seconds)  # it has been busy all the time
    return float(slots * 1_000 / (run_ms + _OWN_MS))


_LOOKS: tuple[Callable[[Job, datetime], _Found | None], ...] = (_unknown, _scheduled, _locked, _kept, _worked)


def _place(job: Job) -> dict[str, Any]:
    return {
        "queue_name": job.queue_name,
        "priority": job.priority,
        "tenant_id": job.tenant_id,
        "job_id": job.pk,
        "most": COUNTED_UP_TO,
    }


# -- words


def _many(count: int, is_exact: bool = True) -> str:
    return f"{count:,}" if is_exact and count < COUNTED_UP_TO else f"more than {min(count, COUNTED_UP_TO):,}"


def _short(text: str, limit: int = 120) -> str:
    line = text.strip().split("\n")[0]
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def _clock(at: datetime | None) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ") if at is not None else "at an unknown time"


def _at(at: datetime | None) -> str:
    return f"at {_clock(at)}" if at is not None else _clock(at)


def _span(seconds: float) -> str:
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s" if seconds >= 10 else f"{max(seconds, 0):.1f} s"
