"""How Celery's side did: a row for each run, written by the Celery worker that ran it. What parity compares.

A row that cannot be written is a warning in the log, and never the task's failure.
"""

from __future__ import annotations

import functools
import hashlib
import json
import logging
import time
from typing import Any

from youtility_tasks import payload, registry, tenants
from youtility_tasks.conf import settings
from youtility_tasks.models import BridgeRun

from . import plain

MOST_BYTES = 4_096
"""Of a result that is kept; a larger one is in its digest alone."""
_LONGEST_MESSAGE = 2_000
_OUTCOMES = {
    "SUCCESS": "succeeded",
    "FAILURE": "failed",
    "RETRY": "retry",
    "REVOKED": "cancelled",
    "IGNORED": "cancelled",
}

logger = logging.getLogger(__name__)
_began: dict[str, float] = {}


@functools.cache
def watch() -> None:
    """Note the runs of this process's Celery worker from now on."""
    from celery import signals

    signals.task_prerun.connect(_before, dispatch_uid="youtility_tasks.runs.before")
    signals.task_postrun.connect(_after, dispatch_uid="youtility_tasks.runs.after")
    signals.task_revoked.connect(_revoked, dispatch_uid="youtility_tasks.runs.revoked")


def digest_of(task_name: str, result: Any) -> tuple[Any, str]:
    """A result as it is kept (None if it is too large), and the digest by which two are compared: without the keys that
    `celery_bridge_ignore` names."""
    cleaned = payload.clean(plain.packed(result), max_bytes=settings().max_result_bytes)
    ignored = (settings().celery_bridge_ignore or {}).get(task_name, ())
    compared = (
        {key: each for key, each in cleaned.items() if key not in ignored} if isinstance(cleaned, dict) else cleaned
    )
    text = json.dumps(compared, sort_keys=True)
    kept = cleaned if len(json.dumps(cleaned)) <= MOST_BYTES else None
    return kept, hashlib.sha256(text.encode()).hexdigest()


def note(
    *, task_name: str, side: str, celery_id: str, tenant_id: int, attempt: int, outcome: str, wait_ms: float | None = None,
    run_ms: float | None = None, result: Any = None, error: BaseException | None = None, kept_back: str = "",
) -> None:  # fmt: skip
    """Write one row, for the tenant of this context."""
    task = registry.find(task_name)
    is_marked = task is not None and bool(task.marks)  # what such a task says may hold what nobody shall see
    kept, digest = digest_of(task_name, result) if outcome == "succeeded" and not is_marked else (None, "")
    kind = type(error)
    BridgeRun.objects.using(settings().database).create(
        tenant_id=tenant_id, task_name=task_name, side=side, celery_id=celery_id, attempt=attempt, outcome=outcome,
        wait_ms=wait_ms, run_ms=run_ms, result=kept, digest=digest, kept_back=payload.clean_text(kept_back, limit=500),
        error_class="" if error is None else f"{kind.__module__}.{kind.__qualname__}",
        error_message="" if error is None or is_marked else payload.clean_text(payload.safe(str, error), limit=_LONGEST_MESSAGE),
    )  # fmt: skip


def _before(task_id: str | None = None, **_: Any) -> None:
    if task_id is not None:
        _began[task_id] = time.time()


def _after(sender: Any = None, task_id: str = "", retval: Any = None, state: str = "", **_: Any) -> None:
    from . import old_side

    began = _began.pop(task_id, None)
    if registry.find(getattr(sender, "name", "")) is None or sender.request.is_eager:
        return
    ended, request = time.time(), sender.request
    due = old_side.due_of(request)
    _write(
        sender.name, task_id, request, _OUTCOMES.get(state, "failed"),
        wait_ms=None if due is None or began is None else max(0.0, (began - due) * 1_000),
        run_ms=None if began is None else (ended - began) * 1_000,
        result=retval if state == "SUCCESS" else None,
        error=_cause(retval),
    )  # fmt: skip


def _revoked(sender: Any = None, request: Any = None, **_: Any) -> None:
    name = getattr(sender, "name", "")
    if registry.find(name) is not None and request is not None:
        _write(name, str(request.id), getattr(request, "request_dict", None) or {}, "cancelled")


def _cause(returned: Any) -> BaseException | None:
    """Of a retry the error that it is for."""
    if not isinstance(returned, BaseException):
        return None
    cause = getattr(returned, "exc", None)
    return cause if isinstance(cause, BaseException) else returned


def _write(name: str, celery_id: str, request: Any, outcome: str, **said: Any) -> None:
    from . import old_side

    tenant_id = old_side.tenant_of(request)
    retries = request.get("retries") or 0
    try:
        with tenants.whose(tenant_id):
            note(
                task_name=name,
                side="celery",
                celery_id=celery_id,
                tenant_id=tenant_id,
                attempt=retries + 1,
                outcome=outcome,
                **said,
            )
    except Exception:
        logger.warning("a run of Celery's was not noted id=%s task=%s", celery_id, name, exc_info=True)
