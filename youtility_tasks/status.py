"""Status words and legal moves, one table a machine.

A job (the words are procrastinate's own):

```mermaid
stateDiagram-v2
    [*] --> todo
    todo --> doing
    todo --> cancelled
    doing --> todo
    doing --> succeeded
    doing --> failed
    doing --> aborted
    failed --> todo
    failed --> cancelled
```

`doing --> todo` is a retry, a hand-back or a rescue; `failed --> todo` is a person who retries a dead letter, and
`failed --> cancelled` one who discards it.
"""

from __future__ import annotations

from enum import StrEnum


class JobStatus(StrEnum):
    """Where a job stands. A dead letter is a job that is `failed`."""

    TODO = "todo"
    DOING = "doing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    ABORTED = "aborted"


MOVES: dict[JobStatus, frozenset[JobStatus]] = {
    JobStatus.TODO: frozenset({JobStatus.DOING, JobStatus.CANCELLED}),
    JobStatus.DOING: frozenset({JobStatus.TODO, JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.ABORTED}),
    JobStatus.FAILED: frozenset({JobStatus.TODO, JobStatus.CANCELLED}),
    JobStatus.SUCCEEDED: frozenset(),
    JobStatus.CANCELLED: frozenset(),
    JobStatus.ABORTED: frozenset(),
}

LIVE = frozenset({JobStatus.TODO, JobStatus.DOING})


LABELS: dict[str, str] = {JobStatus.TODO: "waiting", JobStatus.DOING: "running"}
"""What pages call a status, where that is another word."""

CELERY_WORDS: dict[str, str] = {
    JobStatus.TODO: "PENDING",
    JobStatus.DOING: "STARTED",
    JobStatus.SUCCEEDED: "SUCCESS",
    JobStatus.FAILED: "FAILURE",
    JobStatus.CANCELLED: "REVOKED",
    JobStatus.ABORTED: "REVOKED",
}
"""What those who come from Celery know our words as; one that waits again after a failure is RETRY there."""


class Outcome(StrEnum):
    """How one attempt ended, in more detail than its status; the label `outcome` of the metrics."""

    SUCCEEDED = "succeeded"
    RETRY = "retry"
    """It raised, and another attempt will follow."""
    FAILED = "failed"
    """It raised for the last time: a dead letter."""
    BAD_INPUT = "bad_input"
    """It can never work: a dead letter at the first attempt."""
    TIMED_OUT = "timed_out"
    """The time limit passed; followed by another attempt unless this was the last."""
    CRASHED = "crashed"
    """Its process died under it."""
    EXPIRED = "expired"
    """Nobody began it by its `expires_at`, so it was not run."""
    LOST = "lost"
    """Its whole worker died or fell silent, and another worker rescued the job."""
    ABORTED = "aborted"
    CANCELLED = "cancelled"


class WorkerStatus(StrEnum):
    """What a worker process is doing."""

    RUNNING = "running"
    QUIET = "quiet"
    """It was told to claim nothing more."""
    DRAINING = "draining"
    STOPPED = "stopped"
    LOST = "lost"


class Replacement(StrEnum):
    """Why a worker's child was replaced by another one."""

    JOBS = "jobs"
    """It had done its share (`max_jobs_per_child`)."""
    MEMORY = "memory"
    """It had grown beyond `max_child_memory_mib`."""
    TIMED_OUT = "timed_out"
    """Killed: a job of it outstayed its hard limit."""
    ABORTED = "aborted"
    """Killed: a job of it was asked to end and did not."""
    CRASHED = "crashed"
    """It died, by a signal or by itself."""
    NURSERY = "nursery"
    """The process that had forked it died, and it with that."""
    LOST = "lost"
    """Killed, or gone by itself: what it ran was no longer the worker's."""
    STUCK = "stuck"
    """Killed: it was stopped, or began nothing."""


REPLACEMENTS: dict[str, str] = {
    Replacement.JOBS: "share of jobs done",
    Replacement.MEMORY: "grown too large",
    Replacement.TIMED_OUT: "hard time limit",
    Replacement.ABORTED: "told to end, and did not",
    Replacement.CRASHED: "crashed",
    Replacement.NURSERY: "its nursery died",
    Replacement.LOST: "no longer the worker's",
    Replacement.STUCK: "stood still",
}
"""How pages and commands say it of a child."""


class Order(StrEnum):
    """What a worker process was told."""

    NONE = ""
    QUIET = "quiet"
    """Claim nothing more."""
    DRAIN = "drain"
    """Leave once what runs has ended."""
