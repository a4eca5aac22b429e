"""What people do to the jobs that they have chosen from a list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django import forms

from youtility_tasks import acts
from youtility_tasks.acts import Acts
from youtility_tasks.addresses import LARGEST_ID
from youtility_tasks.errors import Refused
from youtility_tasks.status import JobStatus

from .acting import Act, Done, Proposal, act
from .visit import Visit

MOST = 200
"""Jobs chosen by hand; for more there are operations."""
_NAMED = 8


class _Ids(forms.Field):
    widget = forms.MultipleHiddenInput

    def clean(self, value: Any) -> list[int]:
        """Their ids, each once."""
        given = list(dict.fromkeys(value or ()))
        if not given:
            raise forms.ValidationError("No job is chosen. Go back and choose at least one in the list.")
        if len(given) > MOST:
            raise forms.ValidationError(f"{len(given)} jobs are chosen; right is 1 to {MOST}.")
        for each in given:
            if not (
                str(each).isascii() and str(each).isdecimal() and len(str(each)) < 20 and 0 < int(each) <= LARGEST_ID
            ):
                raise forms.ValidationError(f"{str(each)[:40]!r} is no job's id.")
        return [int(each) for each in given]


class _Jobs(forms.Form):
    job = _Ids()


class _JobsAct(Act):
    Target = _Jobs
    participle: ClassVar[acts.Participle]
    statuses: ClassVar[tuple[JobStatus, ...]]
    """Of jobs that it is for."""
    becomes: ClassVar[tuple[str, ...]]

    def proposal(self, visit: Visit, target: Mapping[str, Any]) -> Proposal:
        """Which of them it is for, and why not the others."""
        could, refused = acts.could_be(self.participle, target["job"])
        if not could:
            raise next(iter(refused.values()))
        others = [str(each) for each in list(refused.values())[:_NAMED]]
        if len(refused) > len(others):
            others.append(f"{len(refused) - len(others)} more are left alone, too.")
        jobs = "1 job" if len(could) == 1 else f"{len(could)} jobs"
        return Proposal(f"{self.label} {jobs}?", (f"{_named(could)}.", *self.becomes, *others), visit.to("jobs"))

    def act_on(self, job_ids: Sequence[int], reason: str) -> Acts:
        """The house's own function."""
        raise NotImplementedError

    def run(self, visit: Visit, given: Mapping[str, Any], reason: str) -> Done:
        """See `acts`; jobs that have moved on meanwhile are left alone, and said."""
        found = self.act_on(given["job"], reason)
        if not found.done:
            raise next(iter(found.refused.values()), Refused("No job was chosen."))
        done = (
            f"1 job is {self.participle}" if len(found.done) == 1 else f"{len(found.done)} jobs are {self.participle}"
        )
        left = [str(each) for each in found.refused.values()]
        also = (
            f" {left[0]}"
            if len(left) == 1
            else f" {len(left)} were left alone, as they stood otherwise."
            if left
            else ""
        )
        return Done(f"{done}.{also}")


def _named(job_ids: Sequence[int]) -> str:
    names = ", ".join(map(str, job_ids[:_NAMED]))
    more = f" and {len(job_ids) - _NAMED} more" if len(job_ids) > _NAMED else ""
    return f"Job {names}" if len(job_ids) == 1 else f"Jobs {names}{more}"


@act
class RetryJobs(_JobsAct):
    """Give dead letters fresh sets of attempts."""

    name, needs, label = "retry-jobs", "retry", "Retry"
    participle = "retried"
    statuses = (JobStatus.FAILED,)
    becomes = (
        "They have failed for good. Each goes back to its queue with a fresh set of attempts, beginning now.",
        "What has been done once (a mail that was sent) is not done again, if its task keeps an effect key.",
    )

    def act_on(self, job_ids: Sequence[int], reason: str) -> Acts:
        """See `acts.retry_many`."""
        return acts.retry_many(job_ids, reason)


@act
class CancelJobs(_JobsAct):
    """Take waiting jobs off their queues, and end running ones."""

    name, needs, label = "cancel-jobs", "cancel", "Cancel"
    confirm = "Cancel them"
    hurts = True
    participle = "cancelled"
    statuses = (JobStatus.TODO, JobStatus.DOING)
    becomes = ("Those that wait leave their queues at once and will not run.", "Those that run are told to end.")

    def act_on(self, job_ids: Sequence[int], reason: str) -> Acts:
        """See `acts.cancel_many`."""
        return acts.cancel_many(job_ids, reason)


@act
class DiscardJobs(_JobsAct):
    """Take dead letters out of the queue for good."""

    name, needs, label = "discard-jobs", "discard", "Discard"
    confirm = "Discard them"
    hurts = True
    participle = "discarded"
    statuses = (JobStatus.FAILED,)
    becomes = (
        "They leave the dead letters and will not run again. Their arguments and attempts stay in the history as long as those of "
        "any other job.",
    )

    def act_on(self, job_ids: Sequence[int], reason: str) -> Acts:
        """See `acts.discard_many`."""
        return acts.discard_many(job_ids, reason)


def offered(visit: Visit) -> list[Mapping[str, Any]]:
    """The acts on chosen jobs that this visitor may do."""
    known: tuple[type[_JobsAct], ...] = (RetryJobs, CancelJobs, DiscardJobs)
    return [
        {"label": each.label, "address": visit.to(f"act-{each.name}"), "statuses": " ".join(each.statuses), "hurts": each.hurts}
        for each in known
        if visit.may(each.needs)
    ]  # fmt: skip
