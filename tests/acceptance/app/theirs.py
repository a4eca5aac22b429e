"""Tasks as they are declared by somebody who knows procrastinate and nothing of us."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from typing import Any

from procrastinate import JobContext, RetryStrategy
from procrastinate.contrib.django import app
from procrastinate.exceptions import JobAborted

from . import diary


def noted(call_next: Callable[[], Any], context: JobContext, worker: Any) -> Any:
    diary.write("middleware", job_id=context.job.id)
    return call_next()


@app.task(name="their_sum", queue="maintenance", task_middleware=[noted], aliases=["their_total"])
def sums(a: int, b: int) -> int:
    return a + b


@app.task(name="their_product", queue="maintenance")
async def multiplies(a: int, b: int) -> int:
    await asyncio.sleep(0)
    return a * b


@app.task(name="their_context", queue="maintenance", pass_context=True)
def tells(context: JobContext) -> dict[str, Any]:
    job = context.job
    return {"id": job.id, "queue": job.queue, "lock": job.lock, "attempts": job.attempts, "task": context.task.name}


@app.task(
    name="their_failure",
    queue="maintenance",
    pass_context=True,
    retry=RetryStrategy(max_attempts=2, retry_exceptions=[ValueError]),
)
def fails(context: JobContext, kind: str) -> str:
    if context.job.attempts == 2:
        return "third time lucky"
    raise {"value": ValueError, "key": KeyError}[kind](kind)


@app.task(name="their_abort", queue="maintenance", pass_context=True)
def runs_until_aborted(context: JobContext) -> None:
    diary.write("begin", task="their_abort")
    while not context.should_abort():
        time.sleep(0.01)
    raise JobAborted


@app.task(name="their_abort_async", queue="maintenance")
async def runs_until_aborted_async() -> None:
    diary.write("begin", task="their_abort_async")
    await asyncio.sleep(3_600)


@app.task(name="their_tick", queue="maintenance", pass_context=True)
def ticks(context: JobContext, timestamp: int) -> None:
    diary.write("tick", timestamp=timestamp)


if os.environ.get("TEST_PERIODIC"):
    app.periodic(cron="* * * * * *")(ticks)
