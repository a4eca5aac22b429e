"""What becomes of each tick that is due: fire, or skip and why. Pure; what other jobs do is asked later (`firing.py`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from youtility_tasks.models.schedules import Missed, Reason

Excuse = Callable[[datetime], tuple[Reason, str] | None]
"""Why a tick is skipped whenever it is looked at (a pause, a holiday, quiet hours), in a word and in words; None if it is not."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One tick, and why it is skipped; without a reason it fires."""

    tick: datetime
    reason: Reason | None = None
    detail: str = ""


def decide(
    ticks: Sequence[datetime], *, now: datetime, missed: Missed, most: int, grace_s: int, excuse: Excuse
) -> list[Verdict]:
    """A verdict on each of these ticks, in their order. `ticks` are all that are due by `now`, oldest first.

    Of those without an excuse the last one is in time if it is at most `grace_s` old. Any other is missed, and the policy
    says which of them fire: none; the last; the last `most`.
    """
    excuses = {tick: excuse(tick) for tick in ticks}
    open_ones = [tick for tick in ticks if excuses[tick] is None]
    chosen = set(_chosen(open_ones, now=now, missed=missed, most=most, grace_s=grace_s))
    verdicts = []
    for tick in ticks:
        why = excuses[tick]
        if why is not None:
            verdicts.append(Verdict(tick, *why))
        elif tick in chosen:
            verdicts.append(Verdict(tick))
        else:
            late_s = (now - tick).total_seconds()
            verdicts.append(
                Verdict(tick, Reason.MISSED, f"looked at {late_s:.0f} s late; policy {_said(missed, most)}")
            )
    return verdicts


def _chosen(ticks: Sequence[datetime], *, now: datetime, missed: Missed, most: int, grace_s: int) -> Sequence[datetime]:
    match missed:
        case Missed.ALL:
            return ticks[-most:]
        case Missed.LATEST:
            return ticks[-1:]
        case Missed.NONE:
            return [tick for tick in ticks[-1:] if now - tick <= timedelta(seconds=grace_s)]


def _said(missed: Missed, most: int) -> str:
    return f"all(max {most})" if missed is Missed.ALL else missed.value
