"""Shadows: a call that Celery runs is run here as well, and nothing of it is seen outside. What it returned is compared (`parity`).

A shadow is a job of a name of its own ("shadow:NAME"), least urgent, tried once, in a process to itself. Its rows are rolled back;
its effects meet an empty ledger; `stage` keeps mails, files, programs and connections back. What it would have raised is its result: it
makes no dead letter. It is never worth an error to the caller.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from youtility_tasks import enqueue as door
from youtility_tasks import history, registry, tenants
from youtility_tasks.conf import settings
from youtility_tasks.declaration import LEAST_URGENT, Task
from youtility_tasks.errors import EnqueueError, KeptBack, TryAgain, WrongRoute
from youtility_tasks.retry import ONCE
from youtility_tasks.secrets import sealing

from . import exceptions, extra, in_celery, known, old_side, plain, positions, runs, stage
from . import options as checked

PREFIX = extra.SHADOWS
_WAITS_AT_MOST = timedelta(hours=1)
_LONGEST = 128 - len(PREFIX)

logger = logging.getLogger(__name__)


def task_of(task: Task) -> Task:
    """The task whose jobs are shadows of this one. Raises WrongRoute for a name that leaves no room."""
    if len(task.name) > _LONGEST:
        raise WrongRoute(
            f"The name {task.name!r} has {len(task.name)} characters; one with shadows has at most {_LONGEST}."
        )
    return Task(
        func=run, task_name=PREFIX + task.name, queue_name=task.queue_name, priority=LEAST_URGENT, retry=ONCE, isolated=True,
        timeout_s=task.timeout_s, tenant="all", backend=task.backend,
    )  # fmt: skip


def find(task_name: str) -> Task | None:
    """For the registry: the task that a shadow's job names."""
    of = registry.find(task_name.removeprefix(PREFIX)) if task_name.startswith(PREFIX) else None
    return None if of is None else task_of(of)


def enqueue(
    task: Task, args: Sequence[Any], kwargs: Mapping[str, Any], options: Mapping[str, Any], *, celery_id: str, tenant_id: int
) -> None:  # fmt: skip
    """Put the shadow of a call that was sent to Celery on our queue, in the caller's transaction, due when the call is."""
    try:
        try:
            checked.of_call(task, options, as_step=False)
        except EnqueueError as error:  # our side would refuse this very call: that is how its shadow ended
            with tenants.whose(tenant_id), transaction.atomic(using=settings().database):
                runs.note(
                    task_name=task.name, side="shadow", celery_id=celery_id, tenant_id=tenant_id, attempt=1, outcome="failed", error=error,
                )  # fmt: skip
            return
        given_args, given_kwargs = _given(task, args, kwargs)
        due = _due(options)
        with transaction.atomic(using=settings().database):  # what goes wrong here must not break the caller's
            call = json.dumps(door.check(task, given_args, given_kwargs))
            shadow = task_of(task).using(run_after=due, expires_at=(due or timezone.now()) + _WAITS_AT_MOST)
            shadow.enqueue(of=task.name, call=call, celery_id=celery_id)
    except Exception:
        logger.warning("a call has no shadow id=%s task=%s tenant=%s", celery_id, task.name, tenant_id, exc_info=True)


def _given(task: Task, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    if known.of(task) is not None:
        return plain.packed(list(args)), plain.packed(dict(kwargs))
    return positions.by_name(task, list(args), dict(kwargs))


def run(*, of: str, call: str, celery_id: str) -> dict[str, Any]:
    """Run a shadow, and note how it went beside Celery's run of the same call."""
    task = registry.get(of)
    tenant_id = tenants.current_tenant() or tenants.ALL
    began = time.monotonic()
    outcome, result = "succeeded", None
    error: BaseException | None = None
    with stage.rehearsing() as rehearsal:
        try:
            args, kwargs = _opened(task, json.loads(call), tenant_id)
            result = in_celery.called(
                task, args, kwargs, job_id=old_side.number_of(celery_id), attempt=1, tenant_id=tenant_id
            )
        except exceptions.Dropped as dropped:
            outcome, error = "cancelled", dropped
        except Exception as raised:
            asked = isinstance(raised, TryAgain) and isinstance(raised.__cause__, Exception)
            outcome, error = "failed", raised.__cause__ if asked else raised
    run_ms = (time.monotonic() - began) * 1_000
    if stage.is_blocked(error):
        rehearsal.keep_back("it waited for rows that others hold")
    if isinstance(error, KeptBack) and not rehearsal.kept_back:
        rehearsal.keep_back(str(error))
    kept_back = "; ".join(rehearsal.kept_back)
    runs.note(
        task_name=task.name, side="shadow", celery_id=celery_id, tenant_id=tenant_id, attempt=1, outcome=outcome, run_ms=run_ms,
        result=result, error=error, kept_back=kept_back,
    )  # fmt: skip
    return {"outcome": outcome, "error": "" if error is None else type(error).__name__, "kept_back": kept_back}


def _opened(task: Task, stored: dict[str, Any], tenant_id: int) -> tuple[list[Any], dict[str, Any]]:
    if task.marks:
        place = sealing.Place(tenant_id, task.name, task.marks, task.verbatim)
        stored = sealing.unseal(place, stored).stored
    return history.unpack(task, stored)


def _due(options: Mapping[str, Any]) -> datetime | None:
    eta, countdown = options.get("eta"), options.get("countdown")
    if isinstance(eta, datetime) and eta.tzinfo is not None:
        return eta
    return timezone.now() + timedelta(seconds=float(countdown)) if countdown else None
