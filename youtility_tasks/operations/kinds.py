"""The acts that an operation may do: which jobs each is for, what it needs, and whether it can be undone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from youtility_tasks.errors import Refused, did_you_mean
from youtility_tasks.status import JobStatus


class Act(StrEnum):
    """What is done to each job."""

    RETRY = "retry"
    """Dead letters are given a fresh set of attempts."""
    CANCEL = "cancel"
    """Jobs that wait leave their queues."""
    ABORT = "abort"
    """The workers of jobs that run are asked to end them."""
    DISCARD = "discard"
    """Dead letters leave the queue for good."""
    PRIORITY = "priority"
    """Jobs that wait are given another priority."""
    RUN_NOW = "run now"
    """Jobs that wait for a later instant come due."""


UNDO = "undo"


@dataclass(frozen=True, slots=True)
class Kind:
    """What holds of one act."""

    status: JobStatus
    """It is for jobs that stand so."""
    needs: str
    """What a person must be allowed (`membership.NEEDS`)."""
    is_undone: bool = True
    takes_rate: bool = False
    needs_reason: bool = False


KINDS: Mapping[Act, Kind] = {
    Act.RETRY: Kind(JobStatus.FAILED, "retry", takes_rate=True),
    Act.CANCEL: Kind(JobStatus.TODO, "cancel"),
    Act.ABORT: Kind(JobStatus.DOING, "abort", is_undone=False),
    Act.DISCARD: Kind(JobStatus.FAILED, "discard", needs_reason=True),
    Act.PRIORITY: Kind(JobStatus.TODO, "change priority"),
    Act.RUN_NOW: Kind(JobStatus.TODO, "run now", takes_rate=True),
}

LEFT_ALONE: Mapping[JobStatus, str] = {
    JobStatus.TODO: "they wait in their queues: `cancel`, `priority` and `run now` are for them",
    JobStatus.DOING: "they run: `abort` is for them",
    JobStatus.FAILED: "they have failed for good: `retry` and `discard` are for them",
    JobStatus.SUCCEEDED: "they have ended",
    JobStatus.CANCELLED: "they have ended",
    JobStatus.ABORTED: "they have ended",
}
"""Why an act leaves jobs alone that stand so."""


def kind_of(act: object) -> tuple[Act, Kind]:
    """The act of that name. Raises Refused."""
    try:
        found = Act(str(act))
    except ValueError:
        names = [each.value for each in Act]
        raise Refused(
            f"No operation does {act!r:.60}; right is one of {', '.join(names)}.{did_you_mean(str(act)[:60], names)}"
        ) from None
    return found, KINDS[found]
