"""What people do to one job: retry, cancel, discard."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django import forms

from youtility_tasks import acts, history
from youtility_tasks.addresses import LARGEST_ID
from youtility_tasks.errors import JobNotFound
from youtility_tasks.history import JobStory
from youtility_tasks.status import JobStatus

from .acting import Act, Done, Proposal, act
from .visit import Visit


class _OneJob(forms.Form):
    job = forms.IntegerField(min_value=1, max_value=LARGEST_ID)


class _JobAct(Act):
    Target = _OneJob
    participle: ClassVar[acts.Participle]

    def proposal(self, visit: Visit, target: Mapping[str, Any]) -> Proposal:
        """The job, where it stands, and what becomes of it."""
        job_id = target["job"]
        known = history.story(job_id, tenant_id=visit.tenant_id)
        if known is None:
            raise JobNotFound(job_id)
        _, refused = acts.could_be(self.participle, [job_id])
        for reason in refused.values():
            raise reason
        whose = f" of tenant {known.tenant_id}" if visit.is_ops else ""
        touches = (f"Job {job_id}: {known.task_name}{whose}.", *self.becomes(known))
        return Proposal(f"{self.label} job {job_id}?", touches, visit.to("job", job_id))

    def becomes(self, known: JobStory) -> tuple[str, ...]:
        """What the act makes of it, in sentences."""
        raise NotImplementedError


@act
class RetryJob(_JobAct):
    """Give a dead letter a fresh set of attempts."""

    name, needs, label = "retry-job", "retry", "Retry"
    participle = "retried"

    def becomes(self, known: JobStory) -> tuple[str, ...]:
        """It waits again."""
        times = len(known.attempts)
        return (
            f"It has failed for good after {times} {'attempt' if times == 1 else 'attempts'}. It goes back to its queue with a "
            "fresh set of attempts, beginning now.",
            "What has been done once (a mail that was sent) is not done again, if its task keeps an effect key.",
        )

    def run(self, visit: Visit, given: Mapping[str, Any], reason: str) -> Done:
        """See `acts.retry`."""
        acted = acts.retry(given["job"], reason)
        return Done(f"Job {acted.job_id} waits in {acted.queue_name} again.")


@act
class CancelJob(_JobAct):
    """Take a waiting job off its queue, or end a running one."""

    name, needs, label = "cancel-job", "cancel", "Cancel"
    confirm = "Cancel the job"
    participle = "cancelled"
    hurts = True

    def becomes(self, known: JobStory) -> tuple[str, ...]:
        """Off the queue at once, or told to end."""
        if known.status is JobStatus.DOING:
            return (
                "It runs now. Its worker is told to end it; what it has done outside of its transaction stays done.",
            )
        return (
            "It waits. It leaves its queue at once and will not run; its history says that you took it off, and why.",
        )

    def run(self, visit: Visit, given: Mapping[str, Any], reason: str) -> Done:
        """See `acts.cancel`."""
        acted = acts.cancel(given["job"], reason)
        is_off = acted.becomes is acts.Becomes.CANCELLED
        return Done(f"Job {acted.job_id} is cancelled." if is_off else f"Job {acted.job_id} is told to end.")


@act
class DiscardJob(_JobAct):
    """Take a dead letter out of the queue for good."""

    name, needs, label = "discard-job", "discard", "Discard"
    confirm = "Discard the job"
    participle = "discarded"
    hurts = True

    def becomes(self, known: JobStory) -> tuple[str, ...]:
        """It leaves the dead letters."""
        return (
            "It leaves the dead letters and will not run again. Its arguments and attempts stay in the history as long as those of "
            "any other job.",
        )

    def run(self, visit: Visit, given: Mapping[str, Any], reason: str) -> Done:
        """See `acts.discard`."""
        acted = acts.discard(given["job"], reason)
        return Done(f"Job {acted.job_id} is discarded.")
