"""What people do to runs of workflows: start one, send a signal, cancel, run it again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms

from youtility_tasks.addresses import LARGEST_ID
from youtility_tasks.errors import NotJson, Refused, SignalRefused, TooDeep, TooLarge, WrongWorkflow
from youtility_tasks.models import TaskWorkflow
from youtility_tasks.visits import For
from youtility_tasks.workflows import looking, runs, templates
from youtility_tasks.workflows.runs import RetryMode

from .acting import Act, Done, Form, Proposal, act
from .visit import Visit

_MODES = {
    RetryMode.FAILED: "Only what failed",
    RetryMode.DOWNSTREAM: "What failed, and all that comes after it",
    RetryMode.ALL: "Everything",
}
_LIVE = ("blocked", "running")
_JSON = forms.Textarea(attrs={"rows": 4, "spellcheck": "false", "class": "mono"})


class _OneRun(forms.Form):
    workflow = forms.IntegerField(min_value=1, max_value=LARGEST_ID)


class _RunAct(Act):
    Target = _OneRun

    def proposal(self, visit: Visit, target: Mapping[str, Any]) -> Proposal:
        """The run, how it stands, and what becomes of it."""
        run = runs.find(target["workflow"])
        whose = f" of tenant {run.tenant_id}" if visit.is_ops else ""
        touches = (f"Workflow {run.pk} ({run.name}){whose}, {run.status}.", *self.becomes(run))
        return Proposal(f"{self.label} workflow {run.pk}?", touches, visit.to("workflow", run.pk))

    def becomes(self, run: TaskWorkflow) -> tuple[str, ...]:
        """What the act makes of it, in sentences."""
        raise NotImplementedError


@act
class CancelWorkflow(_RunAct):
    """Let nothing more of it begin."""

    name, needs, label = "cancel-workflow", "cancel workflow", "Cancel"
    confirm = "Cancel the workflow"
    hurts = True
    one_transaction = False  # it tries again for jobs that somebody else holds

    def becomes(self, run: TaskWorkflow) -> tuple[str, ...]:
        """How many steps it stops."""
        if run.status not in _LIVE:
            raise Refused(f"Workflow {run.pk} ({run.name}) has ended: {run.status}.")
        counts = looking.counts([run.pk])[run.pk]
        return (
            f"Steps that have not begun and will not: {counts['blocked']}. Steps whose turn has come: {counts['todo']}; their jobs leave the "
            "queue at once, or are told to end if they run.",
            "Nothing runs after it, not even steps that come after a failure. It can be run again.",
        )

    def run(self, visit: Visit, given: Mapping[str, Any], reason: str) -> Done:
        """See `runs.cancel`."""
        done = runs.cancel(given["workflow"], reason)
        running = f"; {done.aborting} that run were asked to end" if done.aborting else ""
        return Done(
            f"Workflow {given['workflow']} is cancelled: {done.cancelled} {_steps(done.cancelled)} will not begin{running}."
        )


def _steps(count: int) -> str:
    return "step" if count == 1 else "steps"


class _RetryFields(Form):
    mode = forms.ChoiceField(
        label="What runs again", choices=[(str(mode), words) for mode, words in _MODES.items()], initial=RetryMode.FAILED, widget=forms.RadioSelect
    )  # fmt: skip


@act
class RetryWorkflow(_RunAct):
    """Run it again, wholly or in part."""

    name, needs, label = "retry-workflow", "retry workflow", "Run again"
    Fields = _RetryFields

    def becomes(self, run: TaskWorkflow) -> tuple[str, ...]:
        """What each of the three ways would run: it was tried, and undone."""
        if run.status in _LIVE:
            raise Refused(
                f"Workflow {run.pk} ({run.name}) has not ended: {run.status}. Wait for its end, or cancel it."
            )
        return tuple(f"{words}: {self._would(run, mode)}" for mode, words in _MODES.items())

    def _would(self, run: TaskWorkflow, mode: RetryMode) -> str:
        would = looking.would_retry(run.pk, mode)
        if would is None:
            return "nothing, as none has failed."
        names = ", ".join(would.names)
        more = ", ..." if would.step_count > len(would.names) else ""
        return f"{would.step_count:,} {_steps(would.step_count)} ({names}{more})."

    def initial(self, visit: Visit, target: Mapping[str, Any]) -> Mapping[str, Any]:
        """What failed; of a run that succeeded everything."""
        return {"mode": RetryMode.ALL if runs.find(target["workflow"]).status == "succeeded" else RetryMode.FAILED}

    def run(self, visit: Visit, given: Mapping[str, Any], reason: str) -> Done:
        """See `runs.retry`."""
        again = runs.retry(given["workflow"], RetryMode(given["mode"]), reason)
        return Done(f"{again:,} {_steps(again)} of workflow {given['workflow']} run again.")


class _OneSignal(_OneRun):
    signal = forms.CharField(max_length=200)


class _SignalFields(Form):
    payload = forms.JSONField(
        required=False, widget=_JSON, help_text="JSON, the result of the step that waits; empty: none."
    )

    def place(self, error: Exception) -> str | None:
        """What cannot be a result is the payload."""
        return "payload" if isinstance(error, NotJson | TooDeep | TooLarge) else None


@act
class SignalWorkflow(_RunAct):
    """Send a signal that a step waits for."""

    name, needs, label = "signal-workflow", "signal workflow", "Send the signal"
    scope = For.TENANT
    Target = _OneSignal
    Fields = _SignalFields

    def proposal(self, visit: Visit, target: Mapping[str, Any]) -> Proposal:
        """Which step succeeds with it."""
        run = runs.find(target["workflow"])
        if run.status not in _LIVE:
            raise SignalRefused(
                f"Workflow {run.pk} ({run.name}) has ended: {run.status}. Nobody waits for a signal there."
            )
        touches = (
            f"Workflow {run.pk} ({run.name}): the step {target['signal']!r} succeeds with this payload, and what comes after it begins.",
            "The first signal of a name counts; it cannot be taken back.",
        )
        return Proposal(f"Send the signal {target['signal']!r}?", touches, visit.to("workflow", run.pk))

    def run(self, visit: Visit, given: Mapping[str, Any], reason: str) -> Done:
        """See `runs.signal`."""
        runs.signal(given["workflow"], given["signal"], given["payload"], reason=reason)
        return Done(f"The signal {given['signal']!r} was sent to workflow {given['workflow']}.")


class _OneTemplate(forms.Form):
    template = forms.CharField(max_length=200)
    version = forms.IntegerField(min_value=1, max_value=2**31 - 1)


class _StartFields(Form):
    begun_with = forms.JSONField(
        label="Context", required=False, initial=dict, widget=_JSON, help_text="JSON that its steps may refer to."
    )
    key = forms.CharField(
        required=False, max_length=500, help_text="One run of this name has a key; a second start finds the first."
    )

    def place(self, error: Exception) -> str | None:
        """The context, or the key."""
        if isinstance(error, NotJson | TooDeep | TooLarge):
            return "begun_with"
        if isinstance(error, WrongWorkflow):
            text = str(error)
            return "key" if "a key is" in text else "begun_with" if "the context is" in text else None
        return None


@act
class StartWorkflow(Act):
    """A run of a stored definition."""

    name, needs, label = "start-workflow", "start workflow", "Start a run"
    scope = For.TENANT
    Target = _OneTemplate
    Fields = _StartFields

    def proposal(self, visit: Visit, target: Mapping[str, Any]) -> Proposal:
        """How many steps it has."""
        flow = templates.load(target["template"], target["version"])
        touches = (
            f"A run of {target['template']}, version {target['version']}, with {len(flow.steps)} {_steps(len(flow.steps))}, begins now.",
        )
        return Proposal(f"Start {target['template']}?", touches, visit.to("workflow_templates"))

    def run(self, visit: Visit, given: Mapping[str, Any], reason: str) -> Done:
        """See `templates.begin`."""
        context = {} if given["begun_with"] is None else given["begun_with"]
        started, flow = templates.begin(
            given["template"], given["version"], context, key=given["key"] or None, reason=reason
        )
        return Done(f"Workflow {started.id} ({flow.name}) has begun.", visit.to("workflow", started.id))
