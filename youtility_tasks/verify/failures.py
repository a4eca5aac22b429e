"""Failpoints as faults of a run: armed in all its processes, reached once, and recorded."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
from collections.abc import Iterator

from youtility_tasks import failpoints

from .crew import NotInTime, until
from .nemesis import Stage

CASES = tuple(f"{point}={action}" for point, action in itertools.product(failpoints.POINTS, failpoints.ACTIONS))
"""`after_claim=kill` and so on: every point with every action."""


@contextlib.contextmanager
def armed(stage: Stage, case: str) -> Iterator[dict[str, str]]:
    """The environment that arms a case; leaves once it was reached and, if somebody was stopped, continued."""
    if not case:
        yield {}
        return
    once = stage.crew.place.folder / "failpoint"
    with stage.recorded(f"failpoint {case}", "*", stage.lease_s) as injury:
        yield {failpoints.VARIABLE: f"{case}:{once}"}
        with contextlib.suppress(NotInTime):
            until(once.exists, f"{case} is reached", within_s=10)
        injury.hits = int(once.exists())
        if case.endswith("=stop"):
            _continue_after_the_lease(stage)


def _continue_after_the_lease(stage: Stage) -> None:
    stopped = [
        process
        for supervisor in stage.crew.alive()
        for process in stage.crew.family(supervisor.pid)
        if process.status() == "stopped"
    ]
    with contextlib.suppress(NotInTime):
        until(lambda: False, "its lease is over", within_s=stage.lease_s * 2)
    for process in stopped:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGCONT)
