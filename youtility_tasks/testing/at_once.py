"""Inline mode: what is enqueued is run before `enqueue` returns, in the same process, for tests that look only at the outcome."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import partial
from typing import Any

from django.db import transaction

from youtility_tasks import tasks_api
from youtility_tasks.conf import settings
from youtility_tasks.workflows import runs

from . import drain


@contextlib.contextmanager
def inline(*, raises: bool = True, on_commit: bool = False) -> Iterator[None]:
    """Within the block each `enqueue`, each start of a workflow and each signal to one is followed by `run_jobs()`: the job is
    written as ever, then all that is due runs.

    At once, so within the caller's transaction if he is in one: a job sees what he has not committed, and is undone with it. With
    `on_commit` when his transaction commits, as in life; in a TestCase that is the end of a `captureOnCommitCallbacks(execute=True)`.
    A task's error is recorded, then raised from `enqueue`; with `raises=False` it is only recorded. Nothing is waited for:
    retries with a wait, and jobs for later, stay. What a job enqueues runs after it, not within. Also a decorator.
    """

    def enqueued(**_: Any) -> None:
        if drain.is_draining():
            return  # whoever drains comes to it
        work = partial(drain.run_jobs, raises=raises)
        if on_commit:
            transaction.on_commit(work, using=settings().database)
        else:
            work()

    tasks_api.task_enqueued.connect(enqueued, weak=False)
    runs.on_moved.append(enqueued)
    try:
        yield
    finally:
        tasks_api.task_enqueued.disconnect(enqueued)
        runs.on_moved.remove(enqueued)
