"""Around a task of a run: what it began, did and how it ended, written where the queue cannot reach."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Iterator
from typing import Any

import psutil
import psycopg

from youtility_tasks import TaskContext

from .entries import Kind
from .ledger import Ledger

DIRECT = "YOUTILITY_VERIFY_DIRECT"
"""Environment variable: the queue's database without the proxy, for looking only."""

_LOOK = """
    SELECT claim_number, extract(epoch FROM scheduled_at - clock_timestamp())::float FROM procrastinate_jobs
     WHERE id = %s AND worker_id = %s AND status = 'doing'
"""


@functools.cache
def ledger() -> Ledger:
    """This process's ledger."""
    return Ledger.from_environment()


@functools.cache
def line(pid: int) -> list[int]:
    """The processes above one, up to its supervisor: a fault to any of them is a fault to it."""
    with contextlib.suppress(psutil.Error):
        return [parent.pid for parent in psutil.Process(pid).parents()[:4]]  # nursery, matron, worker, supervisor
    return []


class Witness:
    """Writes for one attempt."""

    def __init__(self, context: TaskContext, key: str, **more: Any) -> None:
        self.about: dict[str, Any] = {"key": key, "job_id": context.job_id}
        seen = _look(context)
        if seen is not None:
            self.about["claim"] = seen[0]
            if seen[1] is not None:
                more["early_s"] = seen[1]
        about = {"tenant": context.tenant_id, "attempt": context.attempt, "line": line(os.getpid())}
        ledger().write(Kind.BEGIN, **self.about, **about, **more)

    def effect(self) -> None:
        """The effect happens now."""
        ledger().write(Kind.EFFECT, **self.about)

    def end(self, outcome: str) -> None:
        ledger().write(Kind.END, **self.about, outcome=outcome)

    def fault(self, name: str, since: int, *, lasts_s: float = 0.0) -> None:
        """A fault that the task itself makes, at the cost of all that run in its process."""
        span = {"from": since, "to": since + 1 + int(lasts_s * 1e9)}
        ledger().write(Kind.NEMESIS, fault=name, pids=[os.getpid()], **span)


@contextlib.contextmanager
def witnessed(context: TaskContext, key: str, **more: Any) -> Iterator[Witness]:
    """Begin, and the end with ok or the error's name."""
    witness = Witness(context, key, **more)
    try:
        yield witness
    except BaseException as error:
        witness.end(type(error).__name__)
        raise
    witness.end("ok")


def _look(context: TaskContext) -> tuple[int, float | None] | None:
    """The claim under which the queue holds this job for this worker; None if it does not, or does not answer."""
    worker_id = int(context.task_result.worker_ids[-1])
    with contextlib.suppress(psycopg.OperationalError), psycopg.connect(os.environ[DIRECT], connect_timeout=2) as found:
        row = found.execute(_LOOK, [context.job_id, worker_id]).fetchone()
        return None if row is None else (int(row[0]), row[1])
    return None
