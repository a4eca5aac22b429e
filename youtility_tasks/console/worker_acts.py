"""What operators tell a worker process: be quiet, go on, leave."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms

from youtility_tasks import orders
from youtility_tasks.addresses import LARGEST_ID
from youtility_tasks.conf import settings
from youtility_tasks.models import Job, TaskWorker
from youtility_tasks.status import Order
from youtility_tasks.visits import For

from .acting import Act, Done, Proposal, act
from .tags import number, span
from .visit import Visit


class _OneWorker(forms.Form):
    worker = forms.IntegerField(min_value=1, max_value=LARGEST_ID, widget=forms.HiddenInput)


class _WorkerAct(Act):
    scope = For.OPS
    Target = _OneWorker


def _alone(row: TaskWorker) -> tuple[str, ...]:
    """Whether its queue stands still without it."""
    others = TaskWorker.objects.claiming(settings().lease_s).of_queue(row.queue_name).exclude(pk=row.pk)
    if others.exists():
        return (f"Other workers go on serving {row.queue_name}.",)
    return (f"No other worker serves {row.queue_name}: its jobs wait from then on.",)


def _runs(row: TaskWorker) -> str:
    held = Job.objects.held_by(row.pk).count()
    return f"Worker {row.pk} serves {row.queue_name} on {row.host}, and holds {number(held)} {'job' if held == 1 else 'jobs'} now."


@act
class QuietWorker(_WorkerAct):
    """Let it claim nothing more."""

    name, needs, label, confirm = "quiet-worker", "quiet worker", "Quiet", "Let it be quiet"

    def proposal(self, visit: Visit, target: Mapping[str, Any]) -> Proposal:
        """What goes on, and what goes back."""
        row = orders.could_be_told(target["worker"], Order.QUIET)
        touches = (
            _runs(row),
            "It claims nothing more, until somebody resumes it. What runs goes on; what it has not begun goes back to the queue.",
            *_alone(row),
            f"It obeys at its next heartbeat, within {span(settings().heartbeat_interval_s)}.",
        )
        return Proposal(f"Let worker {row.pk} be quiet?", touches, visit.to("worker", row.pk))

    def run(self, visit: Visit, given: Mapping[str, Any], reason: str) -> Done:
        """See `orders.quiet`."""
        row = orders.quiet(given["worker"], reason)
        return Done(f"Worker {row.pk} claims nothing more from its next heartbeat on.")


@act
class ResumeWorker(_WorkerAct):
    """Let a quiet one claim again."""

    name, needs, label = "resume-worker", "resume worker", "Resume"

    def proposal(self, visit: Visit, target: Mapping[str, Any]) -> Proposal:
        """Who made it quiet, and why."""
        row = orders.could_be_told(target["worker"], Order.NONE)
        why = f"{row.told_by or 'Somebody'} told it to be quiet" + (f": {row.told_reason}" if row.told_reason else ".")
        touches = (why, f"It claims jobs of {row.queue_name} again from its next heartbeat on.")
        return Proposal(f"Resume worker {row.pk}?", touches, visit.to("worker", row.pk))

    def run(self, visit: Visit, given: Mapping[str, Any], reason: str) -> Done:
        """See `orders.resume`."""
        row = orders.resume(given["worker"], reason)
        return Done(f"Worker {row.pk} claims again from its next heartbeat on.")


@act
class DrainWorker(_WorkerAct):
    """Let it end what runs, and leave for good."""

    name, needs, label, confirm = "drain-worker", "drain worker", "Drain", "Let it leave"
    hurts = True

    def proposal(self, visit: Visit, target: Mapping[str, Any]) -> Proposal:
        """That nobody takes its place."""
        row = orders.could_be_told(target["worker"], Order.DRAIN)
        touches = (
            _runs(row),
            f"What runs may end within {span(settings().shutdown_grace_s)}; the rest goes back to the queue, and nothing is lost.",
            "Then it leaves, and no other is started in its place. That cannot be taken back: run_postgresql_worker starts another.",
            *_alone(row),
        )
        return Proposal(f"Let worker {row.pk} leave?", touches, visit.to("worker", row.pk))

    def run(self, visit: Visit, given: Mapping[str, Any], reason: str) -> Done:
        """See `orders.drain`."""
        row = orders.drain(given["worker"], reason)
        return Done(f"Worker {row.pk} ends what runs and leaves, from its next heartbeat on.")
