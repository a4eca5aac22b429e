"""A workflow driven by the test: step by step, to its end, with signals and timers."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from youtility_tasks.models import Job, WorkflowStep
from youtility_tasks.workflows.definition import Workflow
from youtility_tasks.workflows.runs import Run

from . import clock, drain, passing


def drive(what: Workflow | Run | int) -> Driven:
    """Drive a run (or its id), or start this workflow and drive its run."""
    if isinstance(what, Workflow):
        return Driven(what.start())
    return Driven(Run(what) if isinstance(what, int) else what)


@dataclass(frozen=True, slots=True)
class Driven:
    """A run, and what a test does with it. `run` is the run itself, to cancel it or to retry."""

    run: Run

    @property
    def status(self) -> str:
        """running, succeeded, failed, ..."""
        return self.run.status

    def statuses(self) -> dict[str, str]:
        """Step -> status."""
        return self.run.statuses()

    def result(self, step: str) -> Any:
        """What a step has returned."""
        return self.run.step(step).result

    def waits_for(self) -> list[str]:
        """The signals that it waits for now, by name."""
        return [each.name for each in self._steps() if each.kind == "signal" and each.status == "todo"]

    def step(self) -> str | None:
        """Run due jobs in their order up to the first of this run; its step's name (of a fan-out's item `name[index]`). None: none was due."""
        known = {each.job_id: each for each in self._steps()}
        with contextlib.closing(drain.attempts()) as running:
            for ran in running:
                if ran.job_id not in known:  # released, or fanned out, since
                    known = {each.job_id: each for each in self._steps()}
                if ran.job_id in known:
                    return known[ran.job_id].name
        return None

    def to_end(self) -> str:
        """Run it until nothing more can happen by itself; its status.

        On a frozen clock its waits and retries pass, with all else that is due meanwhile. A run that waits for a signal stays `running`, see
        `waits_for`; its timeout does not pass here (`pass_timer`).
        """
        drain.run_jobs()
        frozen = clock.current()
        while frozen is not None and self.status == "running":
            then = self._next_job(frozen)
            if then is None:
                break
            passing.pass_time(then)
        return self.status

    def signal(self, name: str, payload: Any = None) -> str:
        """Send a signal and run what is due then; the run's status. Raises what `Run.signal` raises."""
        self.run.signal(name, payload)
        drain.run_jobs()
        return self.status

    def pass_timer(self) -> str:
        """Move the frozen clock to whatever comes first (a wait's end, a retry, a timeout, a deadline, a tick) and run what is due; the status."""
        frozen = clock.current()
        if frozen is None:
            raise RuntimeError("No clock stands still: a timer passes within `with frozen(at=...):`.")
        then = passing.next_instant(frozen)
        if then is None:
            raise AssertionError(f"Nothing waits for a time; the run is {self.status}: {self.statuses()}.")
        passing.pass_time(then - frozen.now())
        return self.status

    def _steps(self) -> list[WorkflowStep]:
        rows = WorkflowStep.objects.filter(workflow__root_id=self.run.row.root_id)
        return list(rows.only("name", "kind", "status", "job_id").order_by("pk"))

    def _next_job(self, frozen: clock.Clock) -> timedelta | None:
        """Until the first job of it that waits for a time; None if none does."""
        frozen.catch_up()
        steps = [each.pk for each in self._steps()]
        waiting = Job.objects.filter(step_id__in=steps, status="todo", scheduled_at__gt=frozen.now())
        first = waiting.order_by("scheduled_at").values_list("scheduled_at", flat=True).first()
        return None if first is None else first - frozen.now()
