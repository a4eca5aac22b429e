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

from . import metrics, objectives, queries, queues
from .conf import settings
from .metrics import QueueNumbers
from .models import QueueControl

LATE_S = 60
"""A schedule that is due for longer is late: workers fire within a second."""
LATELY_S = 3_600
"""Dead letters of so long ago are news."""


class Kind(StrEnum):
    """What is wrong, for programs; the worst first."""

    UNSERVED = "unserved"
    """Jobs wait in a queue that no live worker serves."""
    WAITING = "waiting"
    """The oldest job has waited longer than its queue promises."""
    LATE = "late"
    FAILING = "failing"
    OVERDUE = "overdue"
    PAUSED = "paused"


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
    """What is wrong with these queues and beside them, for one tenant or for all; three queries.

    `says_workers`: whether who reads it knows of workers; a tenant's people are told the same in other words.
    """
    now = metrics.database_clock()
    served = {name for name, _ in queries.fetch("served", {"lease_s": settings().lease_s})}
    found = [*_of_queues(numbers, served, now, says_workers), *_idle(numbers, served, says_workers)]
    words = {"tenant_id": tenant_id, "late_s": LATE_S, "lately_s": LATELY_S}
    found += [
        _TELL[kind](name, count, since, json.loads(said))
        for kind, name, count, since, said in queries.fetch("attention", words)
    ]
    found = [_with_its_cause(each, found, tenant_id) for each in found]
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


def _with_its_cause(trouble: Trouble, found: Sequence[Trouble], tenant_id: int | None) -> Trouble:
    """A queue that waits because it is paused: its pause is what to do something about."""
    if trouble.kind is not Kind.WAITING:
        return trouble
    for each in found:
        said = each.facts
        if (
            each.kind is Kind.PAUSED
            and (said["queue"], said["task"]) == (trouble.facts["queue"], None)
            and said["tenant"] in (None, tenant_id)
        ):
            facts = {**trouble.facts, "pause": said}
            return dataclasses.replace(trouble, advice=f"{each.sentence} {each.advice}", facts=facts)
    return trouble


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
    target = QueueControl(queue_name=said["queue"] or "", task_name=said["task"] or "", tenant_id=said["tenant"])
    why = f": {said['reason']}" if said["reason"] else ""
    return Trouble(
        kind=Kind.PAUSED, since=since, is_urgent=False, sentence=f"{str(target).capitalize()} is paused by {said['by'] or 'somebody'}{why}.",
        advice="It ends by itself." if said["until"] else "It has no end: resume it when it may go on.", facts=said,
    )  # fmt: skip


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
        kind=Kind.FAILING, since=since, is_urgent=count >= 10, sentence=f"{count:,} {jobs} failed for good in the last hour: {name}.",
        advice="See the error; retry them when its cause is gone.", facts={**said, "task": name, "count": count},
    )  # fmt: skip


_TELL = {Kind.PAUSED: _paused, Kind.LATE: _late, Kind.OVERDUE: _overdue, Kind.FAILING: _failing}


def _span(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7_200 else f"{seconds / 3_600:.0f} h"
