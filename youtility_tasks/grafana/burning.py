"""Alerts on how fast a queue uses up what its promise allows in 30 days (multi-window, multi-burn-rate).

A page: at this pace 2 % of the month's allowance is gone in one hour, or 5 % in six. A ticket: 10 % in three days. The short window beside
each long one ends the alert soon after the trouble has ended.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from youtility_tasks.objectives import Objective

from . import asking
from .rule import Alert, Recording


@dataclass(frozen=True, slots=True)
class Pace:
    """So many times faster than what lasts for 30 days."""

    factor: float
    long: str
    short: str


PAGES = (Pace(14.4, "1h", "5m"), Pace(6, "6h", "30m"))
TICKETS = (Pace(3, "1d", "2h"), Pace(1, "3d", "6h"))
LEAST = 3
"""Of fewer in the long window nobody is told: one failure of one job is all of them."""
_HIGHEST = 0.9
"""No pace asks for more than this share to be broken, or a lenient promise could never page."""
_VALUE = "{{ $value | humanizePercentage }}"
"""Of the long window."""
_SAYS = {
    "start": ("StartsLate", "began later than {start_within_s:g} s after they were due"),
    "finish": ("FinishesLate", "ended later than {finish_within_s:g} s after they were due"),
    "success": ("JobsFail", "failed"),
}  # fmt: skip


def recordings() -> Iterator[Recording]:
    """The share that is broken, by queue and promise, over each window."""
    for window in sorted({each for pace in (*PAGES, *TICKETS) for each in (pace.long, pace.short)}):
        broken = asking.rate("youtility_promises_broken_total", window, "queue", "promise")
        judged = asking.rate("youtility_promises_judged_total", window, "queue", "promise")
        yield Recording(f"youtility:promises_broken:share{window}", f"{broken} / ({judged} > 0)")


def alerts(queue: str, promised: Objective) -> Iterator[Alert]:
    """Those of one queue: for each promise one that pages and one that does not."""
    for promise, (name, words) in _SAYS.items():
        share = promised.success_share if promise == "success" else promised.on_time_share
        says = words.format(
            start_within_s=promised.start_within_s,
            finish_within_s=promised.finish_within_s,
        )
        for severity, paces in (("page", PAGES), ("ticket", TICKETS)):
            yield Alert(
                name,
                " or ".join(f"({_burns(queue, promise, 1 - share, pace)})" for pace in paces),
                hold="2m" if severity == "page" else "15m",
                severity=severity,
                summary=f"{_VALUE} of the jobs of {queue} {says}, lately; promised are at most {1 - share:.2%} over 30 days",
                page=f"queues/{queue}/",
                labels={"queue": queue, "promise": promise},
            )


def _burns(queue: str, promise: str, allowed: float, pace: Pace) -> str:
    which = f'{{queue="{queue}", promise="{promise}"}}'
    most = f"{min(pace.factor * allowed, _HIGHEST):.6g}"
    over = [f"youtility:promises_broken:share{window}{which} > {most}" for window in (pace.long, pace.short)]
    enough = asking.rise(f"youtility_promises_broken_total{which}", pace.long, "queue", "promise")
    return " and ".join([*over, f"{enough} >= {LEAST - 0.5:g}"])
