"""How often each queue kept what it promises, counted from the same totals as all attempts: so alerts need no bound of a histogram."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, Metric

from youtility_tasks import objectives
from youtility_tasks.metrics.histogram import PER_OCTAVE, Histogram
from youtility_tasks.objectives import Objective
from youtility_tasks.status import Outcome

PROMISES = ("start", "finish", "success")
"""The label `promise`."""
_BROKEN = {Outcome.FAILED, Outcome.BAD_INPUT, Outcome.TIMED_OUT, Outcome.CRASHED, Outcome.EXPIRED}


def bucket_of(within_s: float) -> int:
    """The step of our histograms that holds this duration: whatever is in it counts as within, at most 9 % more."""
    return math.ceil(math.log2(within_s * 1_000) * PER_OCTAVE - 1e-9)


def families(
    counts: Counter[tuple[str, str]], waits: dict[str, Histogram], took: dict[str, Histogram]
) -> Iterator[Metric]:
    """Of each configured queue, from its (queue, outcome) counts, and histograms of waits and of times from due to ended."""
    judged = CounterMetricFamily(
        "youtility_promises_judged",
        "What a queue's promise speaks of: attempts that began (start), jobs that ended (finish), attempts that ended for good (success).",
        labels=["queue", "promise", "within_s"],
    )
    broken = CounterMetricFamily(
        "youtility_promises_broken",
        "Those of them that began late, ended late, retries included, or failed.",
        labels=["queue", "promise", "within_s"],
    )
    for queue, promised in sorted(objectives.all_of_them().items()):
        within = {"start": f"{promised.start_within_s:g}", "finish": f"{promised.finish_within_s:g}"}
        for promise, (all_of_them, bad) in _judge(queue, promised, counts, waits, took).items():
            # Another promise counts anew, as another series: the same one would fall or leap, which is an alert.
            judged.add_metric([queue, promise, within.get(promise, "")], all_of_them)
            broken.add_metric([queue, promise, within.get(promise, "")], bad)
    yield judged
    yield broken


def _judge(
    queue: str,
    promised: Objective,
    counts: Counter[tuple[str, str]],
    waits: dict[str, Histogram],
    took: dict[str, Histogram],
) -> dict[str, tuple[int, int]]:
    bad = sum(counts[queue, each] for each in _BROKEN)
    return {
        "start": _beyond(waits.get(queue, Histogram()), promised.start_within_s),
        "finish": _beyond(took.get(queue, Histogram()), promised.finish_within_s),
        "success": (bad + counts[queue, Outcome.SUCCEEDED], bad),
    }


def _beyond(found: Histogram, within_s: float) -> tuple[int, int]:
    (within,) = found.running([bucket_of(within_s)])
    return found.count, found.count - within
