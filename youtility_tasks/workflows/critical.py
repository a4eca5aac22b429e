"""The critical path of a run: the steps that it was as long as, each begun by the end of the one before; and where its time went."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from youtility_tasks import queries
from youtility_tasks.models import TaskWorkflow

from .drawing import Drawn

MOST = 200
"""Steps of a path whose times are read: a chain may have thousands."""
_NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Leg:
    """One step of the path."""

    step: Drawn
    after: Drawn | None
    """The step on the path whose end began it, or inside which it is; None for the first."""
    total_s: float
    """From the end of the one before to its own, or to now."""
    wait_s: float | None = None
    """Of that its job waited: in its queue, and between its attempts. None: it has no job that has run."""
    run_s: float | None = None
    """Of that its attempts ran, added up."""
    attempt_count: int = 0


def path(run: TaskWorkflow, found: Sequence[Drawn], now: datetime | None = None) -> list[Leg]:
    """The path, first step first; of a run that goes on up to the open step that has been open longest. One query for the times.

    Before a step is the one that ended last of those that it waits for; of a step that any of them begins, the one that ended first. Below
    a workflow or a fan-out follows the inside of it that ended last.
    """
    now = now or datetime.now(UTC)
    legs = _chain(found, run.pk)
    ids = [each.job_id for each, _ in legs[-MOST:] if each.job_id is not None]
    times = _times(ids, run.started_at) if ids else {}
    return [_leg(step, after, times, now) for step, after in legs]


def _chain(found: Sequence[Drawn], flow_id: int) -> list[tuple[Drawn, Drawn | None]]:
    """The steps of the path with the one before each. Without recursion: it may be as long as the run has steps."""
    inside: dict[int, list[Drawn]] = defaultdict(list)
    for each in found:
        inside[each.parent_step_id or 0].append(each)
        if sum(each.items.values()) == len(each.item_rows):  # else only those that failed are known
            inside[each.id] += each.item_rows
    top = [each for each in found if each.workflow_id == flow_id] or inside[0]
    made: list[tuple[Drawn, Drawn | None]] = []
    waiting: list[tuple[Drawn | None, Drawn | None]] = [(_last(top), None)]
    while waiting:
        step, around = waiting.pop()
        while step is not None:
            before = _cause(step)
            made.append((step, before or around))
            if inner := _last(inside[step.id]):
                waiting.append((inner, step))
            step = before
    return sorted(made, key=lambda leg: (leg[0].released_at or leg[0].ended_at or _NEVER, leg[0].depth, leg[0].id))


def _last(steps: Iterable[Drawn]) -> Drawn | None:
    """The one that its whole waits for, or waited for: of the open ones the one that was begun first, else what ended last."""
    begun = [each for each in steps if each.released_at is not None]
    open_ones = [each for each in begun if each.ended_at is None]
    if open_ones:
        return min(open_ones, key=lambda each: (each.released_at or _NEVER, each.id))
    return max(begun, key=lambda each: (each.ended_at or _NEVER, each.id), default=None)


def _cause(step: Drawn) -> Drawn | None:
    """Of those before it the one whose end began it."""
    ended = [each for each, _ in step.before if each.ended_at is not None and _was_before(each, step)]
    if not ended:
        return None
    return (max if step.needs_all else min)(ended, key=lambda each: (each.ended_at or _NEVER, each.id))


def _was_before(each: Drawn, step: Drawn) -> bool:
    """Not so: one that was run again after this one had begun."""
    return step.released_at is None or each.ended_at is None or each.ended_at <= step.released_at


def _times(job_ids: Sequence[int], since: datetime | None) -> Mapping[int, tuple[float, int]]:
    rows = queries.fetch("flow_times", {"job_ids": list(job_ids), "since": since})
    return {job_id: (run_s, count) for job_id, run_s, count in rows}


def _leg(step: Drawn, after: Drawn | None, times: Mapping[int, tuple[float, int]], now: datetime) -> Leg:
    begun = after.ended_at if after is not None and after.ended_at is not None else None
    if begun is None or step.released_at is None or begun > step.released_at:  # inside of what is before it
        begun = step.released_at
    total = max(0.0, ((step.ended_at or now) - begun).total_seconds()) if begun is not None else 0.0
    run_s, count = times.get(step.job_id or 0, (0.0, 0))
    if not count:
        return Leg(step, after, total)
    return Leg(step, after, total, max(0.0, total - run_s), run_s, count)
