"""Turns what happened (returned, BadInput, NotReady, Transient, bug, time limit, crash) into "final" or "retry, then when"."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from .conf import settings
from .declaration import Task
from .errors import AbortRequested, BadInput, Expired, SoftTimeLimit, TryAgain, UnknownSecretKey
from .retry import Retry
from .status import Outcome


class Happened(StrEnum):
    """What became of one attempt."""

    RETURNED = "returned"
    BAD_INPUT = "bad_input"
    RAISED = "raised"
    """NotReady, Transient or a bug: all are retried by the task's policy."""
    ASKED = "asked"
    """It asked for another attempt (`TryAgain`), and said when."""
    NO_KEY = "no_key"
    """A sealed argument could not be opened here: it is retried until the key is there, whatever the task's policy says."""
    TIMED_OUT = "timed_out"
    ABORTED = "aborted"
    EXPIRED = "expired"
    """It was too late to begin it."""
    CRASHED = "crashed"
    HANDED_BACK = "handed_back"
    """It was stopped through no fault of its own: shutdown, or the child was killed for another job's sake."""


class Verdict(StrEnum):
    """What becomes of the job; the words of `youtility_tasks_finish_v2`."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    ABORTED = "aborted"
    RETRY = "retry"
    CRASHED = "crashed"
    RELEASED = "released"


_UNTIL_THE_KEY_IS_THERE = Retry(2**31, base=30, factor=2, cap=900)


@dataclass(frozen=True, slots=True)
class Decision:
    """Verdict on the job, outcome of the attempt, seconds until the next one (0: at once)."""

    verdict: Verdict
    outcome: Outcome
    delay_s: float = 0


@dataclass(frozen=True, slots=True)
class FinalFailure:
    """A job that became a dead letter because its task said so, or raised for the last time."""

    task: Task
    job_id: int
    tenant_id: int
    error_class: str
    error_message: str = ""
    traceback: str = ""
    """As the attempt's history has it: cut, and without the values of marked arguments."""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    """As the job's row has them: marked ones sealed."""
    workflow_id: int | None = None
    """The run that the job was a step of; its failure edges tell of the failure, too."""


on_final_failure: list[Callable[[FinalFailure], None]] = []
"""Called in the child, outside the job's transaction and for no tenant, just before the failure is recorded.

For telling somebody: be quick, the job's time limit still runs. A job whose process died is not reported here.
"""


def classify(error: BaseException) -> Happened:
    """What an exception that left a task means."""
    if isinstance(error, AbortRequested):
        return Happened.ABORTED
    if isinstance(error, Expired):
        return Happened.EXPIRED
    if isinstance(error, BadInput):
        return Happened.BAD_INPUT
    if isinstance(error, TryAgain):
        return Happened.ASKED
    if isinstance(error, UnknownSecretKey):
        return Happened.NO_KEY
    if isinstance(error, SoftTimeLimit):
        return Happened.TIMED_OUT
    return Happened.RAISED


def decide(happened: Happened, task: Task, *, attempt: int, crash_count: int, asked_s: float = 0) -> Decision:
    """What to do with a job whose attempt number `attempt` (from 1) ended like this; `asked_s`: the wait that it asked for.

    A crash or a hand-back uses up no attempt; `crash_count` (before this one) bounds crashes instead.
    """
    match happened:
        case Happened.RETURNED:
            return Decision(Verdict.SUCCEEDED, Outcome.SUCCEEDED)
        case Happened.BAD_INPUT:
            return Decision(Verdict.FAILED, Outcome.BAD_INPUT)
        case Happened.ABORTED:
            return Decision(Verdict.ABORTED, Outcome.ABORTED)
        case Happened.EXPIRED:
            return Decision(Verdict.ABORTED, Outcome.EXPIRED)
        case Happened.HANDED_BACK:
            return Decision(Verdict.RELEASED, Outcome.LOST)
        case Happened.ASKED:
            return Decision(Verdict.RETRY, Outcome.RETRY, asked_s * settings().retry_delay_factor)
        case Happened.NO_KEY:
            delay_s = _UNTIL_THE_KEY_IS_THERE.jittered_delay_s(attempt) * settings().retry_delay_factor
            return Decision(Verdict.RETRY, Outcome.RETRY, delay_s)
        case Happened.CRASHED:
            poison = crash_count + 1 >= settings().max_crashes
            return Decision(Verdict.FAILED if poison else Verdict.CRASHED, Outcome.CRASHED)
        case Happened.RAISED | Happened.TIMED_OUT:
            timed_out = happened is Happened.TIMED_OUT
            if attempt >= task.max_attempts:
                return Decision(Verdict.FAILED, Outcome.TIMED_OUT if timed_out else Outcome.FAILED)
            delay_s = task.retry.jittered_delay_s(attempt) * settings().retry_delay_factor
            return Decision(Verdict.RETRY, Outcome.TIMED_OUT if timed_out else Outcome.RETRY, delay_s)
