"""Turns due ticks into rows and jobs: a tick, its job and the schedule's next look are one transaction.

Any number of workers may look at once: one has the schedule's row, the others leave it; and a tick has one row by its key.
All time is the database's.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import InterfaceError, OperationalError, transaction

from youtility_tasks import acts, audit, enqueue, failpoints, payload, queries, registry, tenants
from youtility_tasks.conf import settings
from youtility_tasks.declaration import Task
from youtility_tasks.errors import UnknownTask, WrongSchedule
from youtility_tasks.models import Job, QueueControl, ScheduledTask, ScheduledTaskExecution
from youtility_tasks.models.schedules import Outcome, Overlap, Reason
from youtility_tasks.status import LIVE, JobStatus

from . import clock, jitter
from .policies import Verdict
from .reading import Reading, read

LOCK_MS = 500
"""How long the job of a tick waits for somebody who holds its key or lock; then the tick is looked at again a little later."""
IDLE_MS = 10_000
"""A process that is frozen between two statements of a tick keeps the schedule from others so long."""
_MOST_ROWS = 100
"""A longer run of ticks that are skipped for one reason is one row."""
_MOST_LIVE = 1_000
_LONGEST_DETAIL = 1_000

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Settled:
    """What became of the ticks of one schedule that were due."""

    fired: list[int] = field(default_factory=list)
    """Job ids."""
    skipped: dict[Reason, int] = field(default_factory=dict)
    """Ticks by reason."""


@contextlib.contextmanager
def tenant_of(tenant_id: int) -> Iterator[None]:
    """Work for a schedule's tenant; 0 is a sweep's."""
    with tenants.tenant(tenant_id) if tenant_id else tenants.no_tenant():
        yield


def fire(schedule_id: int, tenant_id: int) -> Settled | None:
    """Settle the due ticks of one schedule; None when it is not due (any more), or somebody else has it.

    Raises UnknownTask when this process does not know its task (another version of the code may), OperationalError when a lock
    was not to be had: then nothing was changed, and the schedule is still due.
    """
    with tenant_of(tenant_id), transaction.atomic(using=settings().database):
        wanted = {"schedule_id": schedule_id, "tenant_id": tenant_id, "lock_ms": LOCK_MS, "idle_ms": IDLE_MS}
        rows = queries.fetch("take_schedule", wanted)
        if not rows:
            return None
        row = ScheduledTask.objects.using(settings().database).get(pk=schedule_id)
        if registry.resolve(row.task_name) is None:
            raise UnknownTask(row.task_name, registry.registered())
        settled, next_at = settle(row, rows[0][0])
        look_next(row, rows[0][0], next_at)
    return settled


def settle(row: ScheduledTask, now: datetime) -> tuple[Settled, datetime | None]:
    """Write the row of every tick up to now, with the jobs of those that fire; and when the next one is due.

    The caller holds the schedule's row, and stores the rest (`look_next`).
    """
    settled = Settled()
    try:
        reading = read(row)
    except WrongSchedule as error:
        logger.error("schedule cannot be read id=%s tenant=%s error=%s", row.pk, row.tenant_id, error)
        _enter(row, Verdict(now, Reason.REFUSED, str(error)))
        return settled, None
    ticks, is_all = clock.latest(reading.rule, row.settled_to, now)
    verdicts = reading.decide(ticks, now)
    if not is_all and verdicts[0].reason is None:
        before = f"all ticks before {ticks[0]:%Y-%m-%d %H:%M:%S}Z: more than are told apart"
        _enter(row, Verdict(row.settled_to, Reason.MISSED, before))
    for run in _runs(verdicts):
        if run[0].reason is not None:
            _skip(row, run, settled, is_all=is_all or run[0] is not verdicts[0])
        else:
            for verdict in run:
                _fire(row, verdict.tick, now, settled)
    _tell(reading, now, verdicts, settled, is_all=is_all)
    return settled, clock.next_after(reading.rule, now)


def look_next(row: ScheduledTask, now: datetime, next_at: datetime | None) -> None:
    """Store that every tick up to now has its row, and when a worker looks again."""
    row.settled_to, row.next_at = now, next_at
    row.save(using=settings().database, update_fields=["settled_to", "next_at", "live_jobs"])


def fire_by_hand(row: ScheduledTask, now: datetime) -> int:
    """One job now, beside the rule's ticks; its id. Raises EnqueueError. The caller holds the schedule's row."""
    occurrence_id = _enter(row, Verdict(now), by_hand=True, starts_at=now)
    if occurrence_id is None:
        raise WrongSchedule(f"The schedule {row.name!r} has a tick at this very microsecond; run it once more.")
    job_id, is_new = _enqueue(row, now, None)
    if not is_new:
        raise WrongSchedule(
            f"No job was made: job {job_id} holds the lock or key of {row.task_name!r} already. `manage_task_queue show {job_id}`."
        )
    _note_job(row, occurrence_id, job_id)
    row.live_jobs = [*row.live_jobs, job_id][-_MOST_LIVE:]
    return job_id


# -- one tick


def _fire(row: ScheduledTask, tick: datetime, now: datetime, settled: Settled) -> None:
    starts_at = tick + jitter.delay(row.pk, tick, row.jitter_s)
    live = _live(row)
    row.live_jobs = [job_id for job_id, _ in live]
    why = _in_the_way(row, live)
    if why is not None:
        _skip(row, [Verdict(tick, *why)], settled)
        return
    occurrence_id = _enter(row, Verdict(tick), starts_at=starts_at)
    if occurrence_id is None:
        return  # it has its row, and whoever wrote it its job
    failpoints.reach("after_tick")
    instead = bool(live) and row.overlap == Overlap.CANCEL_RUNNING
    try:
        with transaction.atomic(using=settings().database):
            job_id, is_new = _make_job(row, tick, starts_at if starts_at > now else None, instead=instead)
    except (OperationalError, InterfaceError):
        raise  # nobody decided anything: the tick stays due
    except Exception as error:  # a guard, or a function that makes a lock, may raise anything
        logger.warning(
            "schedule's job refused schedule=%s tenant=%s error=%s", row.pk, row.tenant_id, type(error).__name__
        )
        _amend(row, occurrence_id, settled, Reason.REFUSED, f"{type(error).__name__}: {error}")
        return
    if not is_new:
        _amend(row, occurrence_id, settled, Reason.TWIN, f"job {job_id} stands for it")
        return
    _note_job(row, occurrence_id, job_id)
    row.live_jobs = [*row.live_jobs, job_id][-_MOST_LIVE:]
    settled.fired.append(job_id)
    logger.info(
        "schedule fired schedule=%s name=%s tenant=%s version=%s tick=%s job=%s late_ms=%.0f",
        row.pk, row.name, row.tenant_id, row.version, tick.isoformat(), job_id, (now - tick).total_seconds() * 1000,
    )  # fmt: skip


class _NothingNew(Exception):
    """Undoes a cancel for which no new job was made."""


def _make_job(row: ScheduledTask, tick: datetime, run_after: datetime | None, *, instead: bool) -> tuple[int, bool]:
    """The tick's job, `instead` of its earlier ones: they go on where no new one is made. Raises what `enqueue` raises."""
    if instead:
        with contextlib.suppress(_NothingNew), transaction.atomic(using=settings().database):
            with audit.acting(f"schedule {row.name}"):
                acts.cancel_many(row.live_jobs, f"The schedule {row.name!r} fired again at {tick:%Y-%m-%d %H:%M:%S}Z.")
            job_id, is_new = _enqueue(row, tick, run_after)
            if not is_new:
                raise _NothingNew
            return job_id, is_new
    return _enqueue(row, tick, run_after)


def _enqueue(row: ScheduledTask, tick: datetime, run_after: datetime | None) -> tuple[int, bool]:
    result, is_new = enqueue.enqueue_or_find(*call_of(row, tick, run_after))
    return int(result.id), is_new


def call_of(
    row: ScheduledTask, tick: datetime, run_after: datetime | None = None
) -> tuple[Task, list[Any], dict[str, Any]]:
    """The call that a tick makes: the task with the schedule's options, and its arguments. Raises UnknownTask."""
    task = registry.resolve(row.task_name)
    if task is None:
        raise UnknownTask(row.task_name, registry.registered())
    wanted = task.using(
        run_after=run_after,
        priority=row.priority,
        queue_name=row.queue_name or None,
        expires_at=None if row.expire_s is None else tick + timedelta(seconds=row.expire_s),
    )
    positional, named = (row.args.get("args", []), row.args.get("kwargs", {})) if task.verbatim else ([], row.args)
    if row.tick_argument:
        named = {**named, row.tick_argument: int(tick.timestamp())}
    return wanted, positional, dict(named)


def _live(row: ScheduledTask) -> list[tuple[int, str]]:
    """Its jobs that have not ended, with their status."""
    if not row.live_jobs:
        return []
    jobs = Job.objects.using(settings().database).filter(pk__in=row.live_jobs, status__in=LIVE, tenant_id=row.tenant_id)
    return list(jobs.order_by("pk").values_list("pk", "status"))


def _in_the_way(row: ScheduledTask, live: list[tuple[int, str]]) -> tuple[Reason, str] | None:
    if live and row.overlap == Overlap.SKIP:
        job_id, status = live[0]
        return Reason.OVERLAP, f"job {job_id} {'runs' if status == JobStatus.DOING else 'waits'}"
    waiting = [job_id for job_id, status in live if status == JobStatus.TODO]
    if waiting and row.overlap != Overlap.CANCEL_RUNNING:
        # Behind a pause one job waits, not one a tick.
        held = _pause_over(row)
        if held is not None:
            return Reason.HELD, f"job {waiting[0]} waits under a pause of {held}"
    return None


def _pause_over(row: ScheduledTask) -> str | None:
    task = registry.resolve(row.task_name)
    queue_name = row.queue_name or (task.queue_name if task is not None else "")
    names = {"", row.task_name} if task is None else {"", row.task_name, task.name}  # the row's may be an alias by now
    for control in QueueControl.objects.using(settings().database).shut():
        if (
            control.queue_name in ("", queue_name)
            and control.task_name in names
            and control.tenant_id in (None, row.tenant_id)
        ):
            return str(control)
    return None


# -- rows


def _runs(verdicts: list[Verdict]) -> Iterator[list[Verdict]]:
    """Verdicts that follow one another with the same reason."""
    run: list[Verdict] = []
    for each in verdicts:
        if run and each.reason is not run[0].reason:
            yield run
            run = []
        run.append(each)
    if run:
        yield run


def _skip(row: ScheduledTask, run: list[Verdict], settled: Settled, *, is_all: bool = True) -> None:
    reason = run[0].reason
    assert reason is not None  # noqa: S101
    settled.skipped[reason] = settled.skipped.get(reason, 0) + len(run)
    if len(run) <= _MOST_ROWS and is_all:
        for each in run:
            _enter(row, each)
        return
    more = "" if is_all else f", and all before since {row.settled_to:%Y-%m-%d %H:%M:%S}Z"
    detail = f"{len(run)} ticks up to {run[-1].tick:%Y-%m-%d %H:%M:%S}Z{more}; the first: {run[0].detail}"
    _enter(row, Verdict(run[0].tick, reason, detail), tick_count=len(run))


def _enter(
    row: ScheduledTask,
    verdict: Verdict,
    *,
    starts_at: datetime | None = None,
    tick_count: int = 1,
    by_hand: bool = False,
) -> int | None:
    """The id of the tick's new row; None if it has one."""
    rows = queries.fetch(
        "enter_tick",
        {
            "tenant_id": row.tenant_id,
            "schedule_id": row.pk,
            "tick_at": verdict.tick,
            "version": row.version,
            "outcome": Outcome.FIRED if verdict.reason is None else Outcome.SKIPPED,
            "reason": verdict.reason or "",
            "detail": payload.clean_text(verdict.detail, limit=_LONGEST_DETAIL),
            "starts_at": starts_at,
            "tick_count": tick_count,
            "by_hand": by_hand,
        },
    )
    return rows[0][0] if rows else None


def _amend(row: ScheduledTask, occurrence_id: int, settled: Settled, reason: Reason, detail: str) -> None:
    settled.skipped[reason] = settled.skipped.get(reason, 0) + 1
    said = payload.clean_text(detail, limit=_LONGEST_DETAIL)
    _occurrence(row, occurrence_id).update(outcome=Outcome.SKIPPED, reason=reason, detail=said)


def _note_job(row: ScheduledTask, occurrence_id: int, job_id: int) -> None:
    _occurrence(row, occurrence_id).update(job_id=job_id)


def _occurrence(row: ScheduledTask, occurrence_id: int) -> Any:
    return ScheduledTaskExecution.objects.using(settings().database).filter(tenant_id=row.tenant_id, pk=occurrence_id)


def _tell(reading: Reading, now: datetime, verdicts: list[Verdict], settled: Settled, *, is_all: bool) -> None:
    row = reading.schedule
    if not settled.skipped:
        return
    missed = settled.skipped.get(Reason.MISSED, 0)
    logger.log(
        logging.WARNING if missed else logging.INFO,
        "schedule skipped ticks schedule=%s name=%s tenant=%s due=%s%s fired=%s missed_policy=%s %s since=%s",
        row.pk, row.name, row.tenant_id, len(verdicts), "" if is_all else " or more", len(settled.fired), row.missed,
        " ".join(f"{reason.value}={count}" for reason, count in settled.skipped.items()), row.settled_to.isoformat(),
    )  # fmt: skip
