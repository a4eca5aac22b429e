"""Which duties there are, how often each is due, and doing those that are: in every worker, by one of them at a time."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from youtility_tasks import queries, suspension
from youtility_tasks.conf import settings
from youtility_tasks.workflows import sweep

from . import controls, history_days, prune, rollup, unique_keys

logger = logging.getLogger(__name__)

DEADLINE_S = 120.0
"""After which a run's connection is cut, whatever it waits for. A run of all duties takes a few seconds."""
_CALLS_A_RUN = 50
HEARTBEATS_KEPT = timedelta(days=2)
"""How long one can look back at how a worker did."""


@dataclass(frozen=True, slots=True)
class Duty:
    """`act(now, leave)` returns how much it did, and whether that was all that is due."""

    name: str
    every_s: float
    act: Callable[[datetime, Callable[[], bool]], tuple[int, bool]]


def _make_days(now: datetime, leave: Callable[[], bool]) -> tuple[int, bool]:
    return history_days.make_days(now), True


def _remove_old(now: datetime, leave: Callable[[], bool]) -> tuple[int, bool]:
    removed = prune.remove_old(now, most_calls=_CALLS_A_RUN, leave=leave)
    return (
        removed.count,
        removed.is_all,
    )  # a day that was postponed waits for the next hour: asking for its lock costs others


def _remove_old_occurrences(now: datetime, leave: Callable[[], bool]) -> tuple[int, bool]:
    gone = 0
    for _ in range(_CALLS_A_RUN):
        some = queries.run(
            "prune_occurrences", {"now": now, "days": settings().history_retention_days, "most": prune.BATCH}
        )
        gone += some
        if some < prune.BATCH:
            return gone, True
        if leave():
            break
    return gone, False


def _tidy_controls(now: datetime, leave: Callable[[], bool]) -> tuple[int, bool]:
    return controls.forget_idle(now) + controls.free_orphans(now), True


def _forget_keys(now: datetime, leave: Callable[[], bool]) -> tuple[int, bool]:
    return unique_keys.forget_over(leave, most_calls=_CALLS_A_RUN)


def _fold(now: datetime, leave: Callable[[], bool]) -> tuple[int, bool]:
    return rollup.fold(leave, most_calls=_CALLS_A_RUN)


def _sum_day(now: datetime, leave: Callable[[], bool]) -> tuple[int, bool]:
    return rollup.sum_day(now)


def _count_queues(now: datetime, leave: Callable[[], bool]) -> tuple[int, bool]:
    queries.fetch("count_queues", {})
    return 0, True  # every ten seconds: not worth a line in the log


def _forget_operations(now: datetime, leave: Callable[[], bool]) -> tuple[int, bool]:
    most = 200  # batches of 500 jobs
    forgotten = queries.run("forget_operations", {"now": now, "undo_s": settings().operation_undo_s, "most": most})
    return forgotten, forgotten < most


def _forget_heartbeats(now: datetime, leave: Callable[[], bool]) -> tuple[int, bool]:
    kept = {"now": now, "keep_s": HEARTBEATS_KEPT.total_seconds(), "most": prune.BATCH}
    forgotten = queries.run("forget_heartbeats", kept)
    return forgotten, forgotten < prune.BATCH


def _forget_runs(now: datetime, leave: Callable[[], bool]) -> tuple[int, bool]:
    kept = {"now": now, "days": settings().history_retention_days, "most": prune.BATCH}
    forgotten = queries.run("prune_bridge_runs", kept)
    return forgotten, forgotten < prune.BATCH


def _forget_calls(now: datetime, leave: Callable[[], bool]) -> tuple[int, bool]:
    kept = {"now": now, "days": settings().history_retention_days, "most": prune.BATCH}
    forgotten = queries.run("prune_bridge_calls", kept)
    return forgotten, forgotten < prune.BATCH


DUTIES = (
    Duty("count queues", 10, _count_queues),
    Duty("fold metrics", 15, _fold),
    Duty("sum days", 600, _sum_day),
    Duty("make history days", 600, _make_days),
    Duty("remove old", 3_600, _remove_old),
    Duty("stop jobs of tenants that left", 60, suspension.stop_stragglers),
    Duty("tidy controls", 300, _tidy_controls),
    Duty("forget keys", 300, _forget_keys),
    Duty("remove old metrics", 3_600, rollup.remove_old),
    Duty("forget what is not undone", 600, _forget_operations),
    Duty("forget heartbeats", 3_600, _forget_heartbeats),
    Duty("forget runs of Celery's", 3_600, _forget_runs),
    Duty("forget ids of Celery", 3_600, _forget_calls),
    Duty("remove old occurrences", 3_600, _remove_old_occurrences),
    Duty("end overdue workflows", 15, sweep.end_overdue),
    Duty("sweep workflows", 300, sweep.sweep),
    Duty("remove old workflows", 3_600, sweep.remove_old),
)


def run_due(leave: Callable[[], bool] = lambda: False) -> dict[str, int]:
    """Do the duties that are due and that no other worker has begun; what each did.

    A duty that fails is logged and remembered, and the others go on; one that reached its limit is due again at once.
    """
    done: dict[str, int] = {}
    asked = {"names": [duty.name for duty in DUTIES], "every_s": [duty.every_s for duty in DUTIES]}
    due = {name for (name,) in queries.fetch("due_duties", asked)}  # once for all: most often none is
    for duty in DUTIES:
        if leave():
            break
        if duty.name not in due:
            continue
        rows = queries.fetch("begin_duty", {"name": duty.name, "every_s": duty.every_s})
        if not rows:
            continue
        error, is_all = "", True
        try:
            done[duty.name], is_all = duty.act(rows[0][0], leave)
        except Exception as failure:  # whatever it was, the worker goes on and the next run tries again
            logger.exception("upkeep failed duty=%s", duty.name)
            error = f"{type(failure).__name__}: {failure}"[:1000]
        ended = {"name": duty.name, "done_count": done.get(duty.name, 0), "error": error, "again": not is_all}
        queries.run("end_duty", ended)
        if done.get(duty.name):
            logger.info("upkeep done duty=%s count=%s", duty.name, done[duty.name])
    return done


async def run_due_apart() -> None:
    """`run_due` in a thread and on a connection of its own; returns when it has ended, and never raises for its failure.

    Cancelled, it returns at once: the run stops after its batch, or dies with the process, whose transaction is undone.
    """
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    leaving = threading.Event()

    def work() -> None:
        try:
            with queries.own_connection("youtility upkeep", deadline_s=DEADLINE_S):
                run_due(leaving.is_set)
        except Exception as failure:
            logger.warning("upkeep stopped error=%s: %s", type(failure).__name__, failure)
        finally:
            if not loop.is_closed():
                loop.call_soon_threadsafe(ended.set)

    # A daemon, and not the loop's executor: neither the loop nor the interpreter waits for it at the end.
    threading.Thread(target=work, name="upkeep", daemon=True).start()
    try:
        await ended.wait()
    finally:
        leaving.set()
