"""The run's own task: what Beat, and afterwards our schedule, fires each second."""

from __future__ import annotations

import os

from youtility_tasks import queues, running, task
from youtility_tasks.verify.entries import Kind
from youtility_tasks.verify.ledger import ADDRESS, Ledger

TICK = "bridge_proof_tick"


@task(name=TICK, queue_name=queues.MAINTENANCE, tenant="all", timeout_s=30)
def tick() -> None:
    """Write down that it was fired."""
    around = running.current.get()
    if around is not None and os.environ.get(ADDRESS):
        Ledger.from_environment().write(Kind.EFFECT, key=TICK, job_id=around.job_id)
