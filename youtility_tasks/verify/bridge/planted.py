"""Bugs that a test plants in a run's own processes, to see that the verdict finds them."""

from __future__ import annotations

from typing import Any

from youtility_tasks.verify.planted import VARIABLE, is_planted

NO_LEDGER = "an effect does not ask the ledger"
MOVE_COPIES = "a move leaves the message where it was"
MOVE_LOSES = "a move forgets the message without a job"
BEAT_FIRES_ON = "the hand-over leaves the schedule on in Beat"
BUGS = (NO_LEDGER, MOVE_COPIES, MOVE_LOSES, BEAT_FIRES_ON)

__all__ = ["BUGS", "VARIABLE", "begin", "is_planted"]


def begin() -> None:
    """Put into this process what the environment names."""
    if is_planted(MOVE_COPIES):
        _copy()
    if is_planted(MOVE_LOSES):
        _lose()
    if is_planted(BEAT_FIRES_ON):
        _fire_again()


def _copy() -> None:
    from youtility_tasks.celery_bridge.broker import Broker

    Broker.settle = Broker.put_back  # type: ignore[method-assign]


def _lose() -> None:
    from youtility_tasks.celery_bridge import moving

    def nothing(message: Any, done: Any) -> None:
        done.moved[message.task_name] += 1

    moving._written = nothing


def _fire_again() -> None:
    from youtility_tasks.celery_bridge import handover, holding

    right = handover._carry_out

    def leave_on(step: Any) -> None:
        right(step)
        holding.rows().filter(pk=step.entry.key).update(enabled=True, start_time=None)
        holding.tell()

    handover._carry_out = leave_on
