"""How limits and pauses are shown; shared by `pause`, `resume` and `limits`."""

from __future__ import annotations

from argparse import Namespace
from datetime import UTC
from typing import Any

from youtility_tasks.controls import COUNTED_UP_TO, Control
from youtility_tasks.documents import queues as documents

from .answer import Answer, BadUsage


def named(options: Namespace) -> dict[str, Any]:
    """The jobs that the words name, for `controls`. Raises BadUsage if they name none, or a queue twice."""
    alone = getattr(options, "alone", None)
    if alone is not None and options.queue is not None:
        raise BadUsage("Give the queue once: alone, or as --queue.")
    if alone is not None:
        options.queue = alone
    if options.queue is None and options.task is None and options.tenant is None:
        raise BadUsage("Which jobs? Give --queue, --task or --tenant, or two or three of them together.")
    return {"queue": options.queue, "task": options.task, "tenant": options.tenant}


def answer(made: Control) -> Answer:
    """One control after a change."""
    return Answer({"control": documents.control(made)}, [f"{made.target}: {said(made)}."])


def said(each: Control) -> str:
    """What is set, in words."""
    parts = []
    if each.is_paused:
        until = f" until {each.paused_until.astimezone(UTC):%Y-%m-%d %H:%M:%SZ}" if each.paused_until else ""
        parts.append(f"paused{until}")
    if each.max_running is not None:
        parts.append(f"{each.running_count} of {each.max_running} run")
    if each.rate_per_s is not None:
        parts.append(f"{rate(each.rate_per_s)}, burst {each.burst:g}")
    return "; ".join(parts) or "no limit"


def parked(each: Control) -> str:
    """How many jobs wait under it, for people."""
    if each.parked_count >= COUNTED_UP_TO:
        return f"{COUNTED_UP_TO:,} or more"
    return str(each.parked_count)


def rate(per_s: float) -> str:
    """A rate in the unit in which it is a number from 1."""
    for seconds, unit in ((1, "s"), (60, "min"), (3_600, "h")):
        if per_s * seconds >= 1:
            return f"{per_s * seconds:g}/{unit}"
    return f"{per_s * 86_400:g}/d"
