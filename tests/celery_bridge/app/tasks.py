"""What the small application does: tasks of ours that write a line into a diary for each thing that is seen outside."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from celery import shared_task

from youtility_tasks import Retry, TaskContext, current_tenant, effects, running, task
from youtility_tasks.celery_bridge import shared_task as bridged


@shared_task(name="celery_adds")
def adds(a: int, b: int) -> int:
    return a + b


def diary(**said: object) -> None:
    """One line, whole whoever writes beside us."""
    around = running.current.get()
    side = "celery" if around is not None and around.job_id < 0 else "ours"
    line = json.dumps({**said, "side": side, "tenant": current_tenant()}) + "\n"
    file = os.open(Path(os.environ["TEST_DIARY"]), os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, line.encode())
    os.close(file)


@task(name="bridge_books", retry=Retry(3, base=0.01, factor=1))
def books(*, number: int, wait_s: float = 0) -> dict[str, int]:
    """Book something once."""
    time.sleep(wait_s)
    diary(event="ran", number=number)
    effects.perform(f"bridge:{number}", lambda _: diary(event="booked", number=number))
    return {"number": number}


@task(name="bridge_stumbles", retry=Retry(3, base=0.01, factor=1), takes_context=True)
def stumbles(context: TaskContext, *, number: int) -> int:
    """Work at the third attempt."""
    if context.attempt < 3:
        raise RuntimeError(f"attempt {context.attempt}")
    diary(event="ran", number=number, attempt=context.attempt)
    return context.attempt


@task(name="bridge_counts")
def counts(*, number: int) -> dict[str, object]:
    """Count something once, in the database alone."""
    return {"number": number, "is_first": effects.once(f"counted:{number}")}


@bridged(name="bridge_bound", bind=True, max_retries=3, default_retry_delay=0)
def bound(self: Any, number: int) -> dict[str, Any]:
    """Written for Celery, with the import changed."""
    if self.request.retries < 2:
        raise self.retry(countdown=0)
    diary(event="ran", number=number, retries=self.request.retries)
    return {"number": number, "retries": self.request.retries, "id": str(self.request.id)}
