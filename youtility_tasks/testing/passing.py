"""Time passes as it would with workers at work: everything runs at its own instant, and nobody waits for it."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Min

from youtility_tasks.models import Job, TaskWorkflow, WorkflowStep
from youtility_tasks.status import JobStatus
from youtility_tasks.workflows import sweep

from . import clock, drain, ticks

MOST = 10_000
"""Instants at which something happens."""


def pass_time(by: timedelta | None = None, **parts: float) -> int:
    """Let so much time pass on the frozen clock (`pass_time(hours=6)`), as with workers at work; how many attempts ran.

    Waiting jobs and retries run when they are due, schedules of all tenants fire at each tick, timeouts and deadlines of
    workflows end what is late: in the order of their instants. Needs `frozen`. Raises AssertionError past 10,000 instants.
    """
    frozen = clock.current()
    if frozen is None:
        raise RuntimeError(
            "No clock stands still: time passes within `with frozen(at=...):`, or with the fixture task_clock."
        )
    end = frozen.now() + clock.duration(by, parts)
    ran = 0
    for _ in range(MOST):
        ran += run_now(frozen)
        then = next_instant(frozen)
        if then is None or then > end:
            frozen.move_to(end)
            return ran
        frozen.move_to(then)
    raise AssertionError(
        f"{MOST} instants at which something happens until {frozen.now().isoformat()}; let less time pass."
    )


def run_now(frozen: clock.Clock) -> int:
    """Do all that is due by now; how many attempts ran."""
    ticks.fire_due()
    with frozen.shown_to_database():
        sweep.end_overdue(frozen.now(), lambda: False)
    return drain.run_jobs()


def next_instant(frozen: clock.Clock) -> datetime | None:
    """The first instant after now at which something is due."""
    frozen.catch_up()
    now = frozen.now()
    jobs = Job.objects.filter(status=JobStatus.TODO, scheduled_at__gt=now)
    steps = WorkflowStep.objects.filter(status="todo", timeout_at__gt=now)
    flows = TaskWorkflow.objects.filter(status="running", deadline_at__gt=now)
    found = [
        jobs.aggregate(at=Min("scheduled_at"))["at"],
        steps.aggregate(at=Min("timeout_at"))["at"],
        flows.aggregate(at=Min("deadline_at"))["at"],
        ticks.next_tick(),
    ]
    return min((each for each in found if each is not None and each > now), default=None)
