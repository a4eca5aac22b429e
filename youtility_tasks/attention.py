"""What is wrong now, since when, and what one would do about it: for the first page, the worst first.

The doctor (`manage_task_queue doctor`) examines the installation; this looks at the work.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from django.utils.text import Truncator

from . import objectives, queries, queues, registry
from .conf import settings
from .metrics import QueueNumbers
from .models import QueueControl

LATE_S = 60
"""A schedule that is due for longer is late: workers fire within a second."""
LATELY_S = 3_600
"""Dead letters of so long ago are news."""
MANY = 10
"""So many jobs of one task failed, or are tried again: no exception any more."""


class Kind(StrEnum):
    """What is wrong, for programs; the worst first."""

    UNSERVED = "unserved"
    """Jobs wait in a queue that no live worker serves."""
    WAITING = "waiting"
    """The oldest job has waited longer than its queue promises."""
    LATE = "late"
    FAILING = "failing"
    RETRYING = "retrying"
    """Many jobs of a task have failed and are tried again: what they need may be away."""
    OVERDUE = "overdue"
    PAUSED = "paused"
    STOPPED = "stopped"
    """A schedule is paused and has no end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """One thing to look at."""

    kind: Kind
    sentence: str
    advice: str
    since: datetime | None
    is_urgent: bool
    """It breaks a promise now; others are for the morning."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """Names and numbers of the sentence: "queue", "task", "count", ..."""


def troubles(
    numbers: Sequence[QueueNumbers], *, tenant_id: int | None = None, says_workers: bool = True
) -> list[Trouble]:
    """What is wrong with these queues and beside them, for one tenant or for all; two queries.

    `says_workers`: whether who reads it knows of workers; a tenant's people are told the same in other words.
    """
    served = {name for name, _ in queries.fetch("served", {"lease_s": settings().lease_s})}
    words = {"tenant_id": tenant_id, "late_s": LATE_S, "lately_s": LATELY_S, "many": MANY}
    rows = [(*row, json.loads(said)) for *row, said in queries.fetch("attention", words)]
    now = next(since for kind, _, _, since, _ in rows if kind == "now")
    full = [{**said, "running": count} for kind, _, count, _, said in rows if kind == "full"]
    found = [*_of_queues(numbers, served, now, says_workers), *_idle(numbers, served, says_workers)]
    found += [
        _TELL[kind](name, count, since, {**said, "is_all": tenant_id is None})
        for kind, name, count, since, said in rows
        if kind in _TELL
    ]
    found = [_with_its_cause(each, found, full, tenant_id) for each in found if not _is_others(each, tenant_id)]
    order = list(Kind)
    return sorted(found, key=lambda each: (not each.is_urgent, order.index(each.kind), each.since or now))


def _of_queues(numbers: Sequence[QueueNumbers], served: set[str], now: datetime, says_workers: bool) -> list[Trouble]:
    found = []
    for each in numbers:
        name = each.queue_name
        since = now - timedelta(seconds=each.oldest_s) if each.oldest_s else None
        if name not in served and each.todo:
            whose = f"No worker serves {name}" if says_workers else f"Nothing is taken from {name}"
            found.append(
                Trouble(
                    kind=Kind.UNSERVED, since=since, is_urgent=True,
                    sentence=f"{whose}; {each.todo:,} {'job waits' if each.todo == 1 else 'jobs wait'}.",
                    advice=f"Start one: run_postgresql_worker --queues {name}" if says_workers else "Your operators have to start it.",
                    facts={"queue": name, "count": each.todo},
                )
            )  # fmt: skip
            continue
        promised = objectives.of_queue(name).start_within_s
        if each.oldest_s > promised:
            found.append(
                Trouble(
                    kind=Kind.WAITING, since=since, is_urgent=True,
                    sentence=f"{name}: the oldest job has waited for {_span(each.oldest_s)}, {_span(promised)} is promised; {each.todo:,} wait.",
                    advice="See why it waits; then lift a limit or a pause, or start more workers.",
                    facts={"queue": name, "count": each.todo},
                )
            )  # fmt: skip
    return found


def _with_its_cause(
    trouble: Trouble, found: Sequence[Trouble], full: Sequence[Mapping[str, Any]], tenant_id: int | None
) -> Trouble:
    """A queue that waits because it is paused: its pause is what to do something about. Else a limit that is full now, if one is."""
    if trouble.kind is not Kind.WAITING:
        return trouble
    queue_name = trouble.facts["queue"]
    for each in found:
        said = each.facts
        if (
            each.kind is Kind.PAUSED
            and (said["queue"], said["task"]) == (queue_name, None)
            and said["tenant"] in (None, tenant_id)
        ):
            ends = "Your operators end it." if _is_others(each, tenant_id) and not said["until"] else each.advice
            return dataclasses.replace(
                trouble, advice=f"{each.sentence} {ends}", facts={**trouble.facts, "pause": said}
            )
    for limit in full:
        if _concerns(limit, queue_name):
            runs = "runs" if limit["running"] == 1 else "run"
            advice = f"A limit is full: {_target(limit)}, {limit['running']} of {limit['most']} {runs}. See what waits for it; then raise it, or end what runs."
            return dataclasses.replace(trouble, advice=advice, facts={**trouble.facts, "full": limit})
    return trouble


def _concerns(limit: Mapping[str, Any], queue_name: str) -> bool:
    """Whether jobs of this queue may wait for it: of a task's limit, where its jobs go to."""
    if limit["queue"] is not None or limit["task"] is None:
        return limit["queue"] in (None, queue_name)
    declared = registry.find(limit["task"])
    return declared is None or declared.queue_name == queue_name


def _is_others(trouble: Trouble, tenant_id: int | None) -> bool:
    """A pause of everybody's jobs, where one tenant is looked at: why theirs may wait, and not theirs to end."""
    return trouble.kind is Kind.PAUSED and tenant_id is not None and trouble.facts["tenant"] is None


def _target(said: Mapping[str, Any]) -> QueueControl:
    return QueueControl(queue_name=said["queue"] or "", task_name=said["task"] or "", tenant_id=said["tenant"])


def _idle(numbers: Sequence[QueueNumbers], served: set[str], says_workers: bool) -> list[Trouble]:
    """Queues that nobody serves and in which nothing waits yet: one line for all."""
    waiting = {each.queue_name for each in numbers if each.todo}
    idle = sorted(queues.configured().keys() - served - waiting)
    if not idle or not says_workers:
        return []
    names = ", ".join(idle)
    return [
        Trouble(
            kind=Kind.UNSERVED, sentence=f"No worker serves {names}; nothing waits there yet.", since=None, is_urgent=False,
            advice=f"Start them: run_postgresql_worker --queues {' '.join(idle)}", facts={"queue": idle[0], "count": 0},
        )
    ]  # fmt: skip


def _paused(name: str, count: int, since: datetime, said: Mapping[str, Any]) -> Trouble:
    target = _target(said)
    why = _why(said)
    return Trouble(
        kind=Kind.PAUSED, since=since, is_urgent=False, sentence=f"{str(target).capitalize()} is paused by {said['by'] or 'somebody'}{why}.",
        advice="It ends by itself." if said["until"] else "It has no end: resume it when it may go on.", facts=said,
    )  # fmt: skip


def _why(said: Mapping[str, Any]) -> str:
    """The reason that was given; of a long one its beginning."""
    return f": {Truncator(said['reason']).chars(200)}" if said["reason"] else ""


def _late(name: str, count: int, since: datetime, said: Mapping[str, Any]) -> Trouble:
    others = f" and {count - 1} more" if count > 1 else ""
    is_one = count == 1
    return Trouble(
        kind=Kind.LATE, since=since, is_urgent=True,
        sentence=f"{'Schedule' if is_one else 'Schedules'} {name}{others} {'is' if is_one else 'are'} late.",
        advice="Nobody fires what is due: a worker that knows the task is needed.", facts={**said, "count": count},
    )  # fmt: skip


def _overdue(name: str, count: int, since: datetime, said: Mapping[str, Any]) -> Trouble:
    others = f" and {count - 1} more" if count > 1 else ""
    return Trouble(
        kind=Kind.OVERDUE, since=since, is_urgent=True, sentence=f"Workflow {name}{others} {'is' if count == 1 else 'are'} past the deadline.",
        advice="See what it waits for.", facts={**said, "count": count},
    )  # fmt: skip


def _failing(name: str, count: int, since: datetime, said: Mapping[str, Any]) -> Trouble:
    jobs = "job has" if count == 1 else "jobs have"
    return Trouble(
        kind=Kind.FAILING, since=since, is_urgent=count >= MANY,
        sentence=f"{count:,} {jobs} failed for good in the last hour: {name}{_whose(said)}.",
        advice="See the error; retry them when its cause is gone.", facts={**said, "task": name, "count": count},
    )  # fmt: skip


def _retrying(name: str, count: int, since: datetime, said: Mapping[str, Any]) -> Trouble:
    promised = objectives.of_queue(said["queue"]).finish_within_s
    return Trouble(
        kind=Kind.RETRYING, since=since, is_urgent=said["age_s"] > promised,
        sentence=f"{count:,} jobs have failed and are tried again later: {name}{_whose(said)}.",
        advice="What they need may be away. They go on by themselves when it is back; until then see the error of one.",
        facts={**said, "task": name, "count": count},
    )  # fmt: skip


def _whose(said: Mapping[str, Any]) -> str:
    """Of which tenant alone, or of how many, where all are looked at; and the error of the newest of them, and
    whether others met another."""
    one = f" of tenant {said['tenant']}" if said["is_all"] and said["tenant"] else ""
    whose = f" of {said['tenants']} tenants" if said["tenants"] > 1 else one
    others = ", and others" if said.get("kinds", 1) > 1 else ""
    return whose + (f" ({said['error'].rpartition('.')[2]}{others})" if said["error"] else "")


def _stopped(name: str, count: int, since: datetime, said: Mapping[str, Any]) -> Trouble:
    what = f"Schedule {name} is paused" if count == 1 else f"{count} schedules are paused, {name} for the longest,"
    why = _why(said)
    return Trouble(
        kind=Kind.STOPPED, since=since, is_urgent=False, sentence=f"{what} by {said['by'] or 'somebody'}{why}.",
        advice="No end is set, and no jobs are made: resume it when it may go on.", facts={**said, "count": count},
    )  # fmt: skip


_TELL = {
    Kind.PAUSED: _paused,
    Kind.LATE: _late,
    Kind.OVERDUE: _overdue,
    Kind.FAILING: _failing,
    Kind.RETRYING: _retrying,
    Kind.STOPPED: _stopped,
}


def _span(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7_200 else f"{seconds / 3_600:.0f} h"
