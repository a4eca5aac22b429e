"""What every task does in a run: one effect for each call, and then what it always does.

A call has a key, as an argument that tasks have only here. Its effect is one row, written with the effects ledger in one transaction: Celery
delivers anew what a killed worker had not acknowledged, so a call may run twice, and its effect is there once. What the task itself makes of its
arguments is noted and not judged: the small company that a run may be given has something for most of them.
"""

from __future__ import annotations

import functools
import inspect
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.db import connection, transaction

from youtility_tasks import effects, registry, rehearsal, running
from youtility_tasks.declaration import Task
from youtility_tasks.tenants import current_tenant
from youtility_tasks.verify.entries import Kind
from youtility_tasks.verify.ledger import FOLDER, Ledger

from . import planted
from .tasks import TICK

KEY = "proof_key"
COMPANY = "company.json"
SLOW_S = 1.5
"""How long a call whose key says so goes on after its effect: time to be killed in."""
TABLE = "bridge_proof_effect"
MAKE_TABLE = f"CREATE TABLE IF NOT EXISTS {TABLE} (key text NOT NULL, side text NOT NULL, task text NOT NULL)"
_INSERT = f"INSERT INTO {TABLE} (key, side, task) VALUES (%s, %s, %s)"  # noqa: S608 - a name of this file
_ledger: list[Ledger] = []


def tasks() -> list[Task]:
    """Whose calls are the load: all that are registered, but the run's own."""
    found = {each.name: each for each in registry.registered().values() if each.name != TICK}
    return [found[name] for name in sorted(found)]


def begin() -> None:
    """Have each registered task act, from now on and in this process."""
    _ledger[:] = [Ledger.from_environment()]
    for each in tasks():
        _wrap(each)


def _wrap(task: Task) -> None:
    key = inspect.Parameter(KEY, inspect.Parameter.KEYWORD_ONLY, default="", annotation=str)
    whole = inspect.signature(task.func)
    acting = _acting(task, task.func)
    acting.__signature__ = whole.replace(parameters=[*whole.parameters.values(), key])  # type: ignore[attr-defined]
    with_key = task.signature.replace(parameters=[*task.signature.parameters.values(), key])
    # A call is an effect here, so what makes one job of several calls is off.
    for name, value in {
        "func": acting,
        "signature": with_key,
        "queueing_lock": None,
        "unique": None,
        "debounce": None,
    }.items():
        object.__setattr__(task, name, value)


def _acting(task: Task, function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def act(*given: Any, **named: Any) -> Any:
        key = named.pop(KEY, "")
        if not key:
            return function(*given, **named)
        side = side_of_run()
        if side == "shadow":
            _leave_effect(task, key, side)
            _really(function, given, named)
            return {"call": key}
        ledger = _ledger[0]
        ledger.write(Kind.BEGIN, key=key, job_id=running.current.get().job_id, side=side, task=task.name)  # type: ignore[union-attr]
        _leave_effect(task, key, side)
        if key.endswith("+"):
            call(ledger, task, f"{key}child", current_tenant())
        if key.startswith("slow"):
            time.sleep(SLOW_S)
        became = _really(function, given, named)
        ledger.write(Kind.END, key=key, side=side, task=task.name, became=became)
        return {"call": key}

    return act


def side_of_run() -> str:
    """celery, ours or shadow: where the task that asks is run."""
    around = running.current.get()
    if rehearsal.now is not None:
        return "shadow"
    return "celery" if around is not None and around.job_id < 0 else "ours"


def _leave_effect(task: Task, key: str, side: str) -> None:
    with transaction.atomic():
        if effects.once(f"proof:{key}") or planted.is_planted(planted.NO_LEDGER):
            with connection.cursor() as cursor:
                cursor.execute(_INSERT, [key, side, task.name])


def _really(function: Callable[..., Any], given: tuple[Any, ...], named: dict[str, Any]) -> str:
    """What the task makes of it by itself: "returned", or the error's name."""
    try:
        function(*given, **named)
    except Exception as error:
        return type(error).__name__
    return "returned"


def call(ledger: Ledger, task: Task, key: str, tenant_id: int | None, **options: Any) -> None:
    """Call a task as its call sites do, and tell the ledger before and after. What the call raises goes on."""
    named = {**arguments(task, tenant_id), KEY: key}
    ledger.write(Kind.INTENT, key=key, task=task.name)
    try:
        made = task.apply_async((), named, **options) if options else task.delay(**named)
    except Exception as error:
        ledger.write(Kind.AMBIGUOUS, key=key, error=f"{type(error).__name__}: {error}"[:200])
        raise
    ledger.write(Kind.ACK, key=key, id=str(made.id), task=task.name)


@functools.cache
def company() -> dict[str, dict[str, Any]]:
    """Tenant -> task -> arguments, of the company that the run was given."""
    found: dict[str, dict[str, Any]] = json.loads((Path(os.environ[FOLDER]) / COMPANY).read_text(encoding="utf-8"))
    return found


def arguments(task: Task, tenant_id: int | None) -> dict[str, Any]:
    """What a call of this task is given: the company's, else something of each kind that its signature asks for."""
    known = company().get(str(tenant_id), {}).get(task.name)
    return dict(known) if known is not None else of_signature(task)


def of_signature(task: Task) -> dict[str, Any]:
    """Arguments that a task's signature takes, and that mean nothing."""
    required = [each for each in task.signature.parameters.values() if each.default is inspect.Parameter.empty]
    return {each.name: _something(str(each.annotation)) for each in required}


def _something(annotation: str) -> Any:
    for word, value in (("list", []), ("dict", {}), ("bool", False), ("int", 1), ("float", 1.0)):
        if annotation.startswith(word):
            return value
    return "nothing"
