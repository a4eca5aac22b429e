"""What people set while workers run: pauses, limits, rates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms

from youtility_tasks import controls, metrics
from youtility_tasks.addresses import LARGEST_TENANT
from youtility_tasks.controls import KEEP, Control
from youtility_tasks.errors import NothingToLift
from youtility_tasks.models import QueueControl

from .acting import Act, Done, Form, Proposal, act
from .tags import number, rate
from .visit import Visit

_RATES = {"second": 1.0, "minute": 60.0, "hour": 3_600.0, "day": 86_400.0}


class _Named(forms.Form):
    """Which jobs: of a queue, a task, a tenant, or of what they share."""

    queue = forms.CharField(max_length=128, required=False)
    task = forms.CharField(max_length=128, required=False)
    of = forms.IntegerField(min_value=1, max_value=LARGEST_TENANT, required=False)


def _words(visit: Visit, target: Mapping[str, Any]) -> dict[str, Any]:
    return {"queue": target["queue"] or None, "task": target["task"] or None, "tenant": target["of"] or visit.tenant_id}


def _name(visit: Visit, target: Mapping[str, Any]) -> str:
    said = _words(visit, target)
    return str(QueueControl(queue_name=said["queue"] or "", task_name=said["task"] or "", tenant_id=said["tenant"]))


def _standing(visit: Visit, target: Mapping[str, Any]) -> Control | None:
    said = _words(visit, target)
    return next(
        (
            each
            for each in controls.listing()
            if (each.queue_name, each.task_name, each.tenant_id) == (said["queue"], said["task"], said["tenant"])
        ),
        None,
    )


def _waiting(visit: Visit, target: Mapping[str, Any]) -> str:
    """How much this concerns now, as far as queues tell; of a single task they do not."""
    if target["task"]:
        return ""
    its = metrics.glance(tenant_id=_words(visit, target)["tenant"])
    chosen = [each for each in its if not target["queue"] or each.queue_name == target["queue"]]
    waiting, running = sum(each.todo + each.scheduled for each in chosen), sum(each.doing for each in chosen)
    return f"{number(waiting)} of these jobs wait and {number(running)} run."


@act
class Pause(Act):
    """Let none start."""

    name, needs, label = "pause", "pause", "Pause"
    Target = _Named
    hurts = True

    class Fields(Form):
        """For how long."""

        minutes = forms.FloatField(
            required=False, min_value=0.1, max_value=controls.LONGEST_PAUSE.total_seconds() / 60, label="For how many minutes",
            initial=60, help_text="It ends by itself then. Empty: until somebody resumes it.",
        )  # fmt: skip

    def proposal(self, visit: Visit, target: Mapping[str, Any]) -> Proposal:
        """What waits meanwhile."""
        touches = (
            "None of these jobs starts until then; what runs goes on, and nothing is lost.",
            *filter(None, [_waiting(visit, target)]),
        )
        return Proposal(f"Pause {_name(visit, target)}?", touches, visit.to("queues"))

    def run(self, visit: Visit, given: Mapping[str, Any], reason: str) -> Done:
        """See `controls.pause`."""
        made = controls.pause(**_words(visit, given), minutes=given["minutes"], reason=reason)
        ends = f" until {made.paused_until:%Y-%m-%d %H:%M} UTC" if made.paused_until else ", without an end"
        return Done(f"{made.target.capitalize()} is paused{ends}.")


@act
class Resume(Act):
    """Let them start again."""

    name, needs, label = "resume", "resume", "Resume"
    Target = _Named

    def proposal(self, visit: Visit, target: Mapping[str, Any]) -> Proposal:
        """Why they were paused."""
        standing = _standing(visit, target)
        name = _name(visit, target)
        if standing is None or not standing.is_paused:
            said = _words(visit, target)
            row = QueueControl(queue_name=said["queue"] or "", task_name=said["task"] or "", tenant_id=said["tenant"])
            raise NothingToLift("pause", row)
        why = f"Paused by {standing.paused_by or 'somebody'}" + (f": {standing.reason}" if standing.reason else ".")
        return Proposal(f"Resume {name}?", (why, "Its jobs start again at once, in their order."), visit.to("queues"))

    def run(self, visit: Visit, given: Mapping[str, Any], reason: str) -> Done:
        """See `controls.resume`."""
        made = controls.resume(**_words(visit, given), reason=reason)
        return Done(f"{made.target.capitalize()} goes on.")


@act
class Limit(Act):
    """How many run at once, and how many start in a time."""

    name, needs, label, confirm = "limit", "limit", "Limit", "Set the limit"
    Target = _Named

    class Fields(Form):
        """Both may be set; what is empty is no limit."""

        running = forms.IntegerField(
            required=False, min_value=1, label="At most so many run at once", help_text="Empty: no limit."
        )
        rate = forms.FloatField(
            required=False, min_value=0.000_001, label="At most so many start", help_text="Empty: no limit."
        )
        per = forms.ChoiceField(choices=[(each, f"a {each}") for each in _RATES], initial="minute", label="in")
        burst = forms.FloatField(
            required=False,
            min_value=1,
            label="So many at once after a quiet time",
            help_text="Of the rate; 1 unless given.",
        )

    def initial(self, visit: Visit, target: Mapping[str, Any]) -> Mapping[str, Any]:
        """As it is set."""
        standing = _standing(visit, target)
        if standing is None:
            return {}
        per_s = standing.rate_per_s
        per = next((each for each, seconds in _RATES.items() if per_s is not None and per_s * seconds >= 1), "day")
        shown = (
            {"rate": round(per_s * _RATES[per], 6), "per": per, "burst": standing.burst} if per_s is not None else {}
        )
        return {"running": standing.max_running, **shown}

    def proposal(self, visit: Visit, target: Mapping[str, Any]) -> Proposal:
        """What runs now, and that nothing is stopped."""
        standing = _standing(visit, target)
        count = standing.running_count if standing is not None else 0
        now = (f"{count} {'runs' if count == 1 else 'run'} now.",) if standing is not None else ()
        touches = ("Every claim keeps to it from the next on, over all workers. What runs goes on.", *now)
        return Proposal(f"Limit {_name(visit, target)}?", touches, visit.to("queues"))

    def run(self, visit: Visit, given: Mapping[str, Any], reason: str) -> Done:
        """See `controls.limit`; what is not set is not lifted either."""
        words = _words(visit, given)
        wanted = None if given["rate"] is None else given["rate"] / _RATES[given["per"]]
        standing = _standing(visit, given)
        had_running, had_rate = (standing.max_running, standing.rate_per_s) if standing is not None else (None, None)
        running = KEEP if given["running"] is None and had_running is None else given["running"]
        pace = KEEP if wanted is None and had_rate is None else wanted
        made = controls.limit(
            **words, running=running, rate_per_s=pace, reason=reason,
            burst=KEEP if wanted is None or given["burst"] is None else given["burst"],
        )  # fmt: skip
        return Done(f"{made.target.capitalize()}: {limits_in_words(made)}.")


def limits_in_words(made: Control) -> str:
    """ "at most 5 run at once, 10 start a minute"."""
    said = []
    if made.max_running is not None:
        said.append(f"at most {made.max_running} run at once")
    if made.rate_per_s is not None:
        said.append(f"{rate(made.rate_per_s)} start")
    return ", ".join(said) or "no limit"
