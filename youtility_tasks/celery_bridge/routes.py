"""Which side a task's calls go to: in a table, changed while everything runs, known to every process within a second.

A change is in the audit log in the same transaction. `settle` waits until no process can go by what was set before, so that
a call made after it goes the new way; a call that was under way meanwhile goes either way, and never both.
"""

from __future__ import annotations

import hashlib
import json
import logging
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from inspect import Parameter
from typing import Any

from django.db import transaction
from django.db.models.functions import Now

from youtility_tasks import audit, membership, payload, queries, registry
from youtility_tasks.conf import settings
from youtility_tasks.declaration import Task
from youtility_tasks.errors import RouteChanged, UnknownTask, WrongRoute
from youtility_tasks.models import BridgeRoute

from . import extra

CELERY, SHADOW, CANARY, POSTGRES = BridgeRoute.Side.values
KNOWN_FOR_S = 1.0
"""A process goes by what it has read for so long, counted from before it asked."""
EVERYTHING = "*"
_BUCKETS = 2**32

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Route:
    """Where the calls of one task go."""

    task_name: str
    side: str
    percent: float = 0
    sticks_to: str = ""
    version: int = 0
    """0: nobody has set it, and the setting `celery_bridge_default` says where."""
    changed_at: datetime | None = None
    changed_by: str = ""
    reason: str = ""

    def __str__(self) -> str:
        return f"{self.side} {self.percent:g} %" if self.side == CANARY else self.side

    def side_for(self, tenant_id: int | None, key: str | None = None) -> str:
        """celery, shadow or postgres: a canary has decided. The same tenant, or key, goes the same way every time, and who is on
        our side stays there when the share is raised."""
        if self.side != CANARY:
            return self.side
        return POSTGRES if bucket(tenant_id, key) < self.percent else CELERY


def bucket(tenant_id: int | None, key: str | None) -> float:
    """A place from 0 to below 100 that a tenant, or a key within it, has for good; the task's name has no part in it, so that
    the same tenants go first with every task, and the steps of one canvas go together."""
    said = json.dumps([tenant_id or 0, key], ensure_ascii=False)
    return int.from_bytes(hashlib.sha256(said.encode(errors="replace")).digest()[:4]) / _BUCKETS * 100


def key_of(
    route: Route, task: Task, args: Sequence[Any], kwargs: Mapping[str, Any], tenant_id: int | None
) -> str | None:
    """What a call of a canary sticks to within its tenant; None: to the tenant alone.

    Without a tenant it is all of its arguments, and so it is where the named argument is not given.
    """
    if route.side != CANARY or (route.sticks_to == "" and tenant_id):
        return None
    if route.sticks_to not in ("", EVERYTHING):
        names = [each.name for each in task.signature.parameters.values()]
        given = {**dict(zip(names, args, strict=False)), **kwargs}
        if route.sticks_to in given:
            return _text(given[route.sticks_to])
    return _text([list(args), dict(kwargs)])


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=lambda each: payload.safe(str, each))


# -- reading


class _Known:
    """What this process has read, and when it began to."""

    def __init__(self) -> None:
        self.routes: dict[str, Route] = {}
        self.read_at = float("-inf")
        self.lock = threading.Lock()


_known = _Known()


def of(task_name: str) -> Route:
    """The task's route, as this process has known it for at most KNOWN_FOR_S."""
    if time.monotonic() - _known.read_at >= KNOWN_FOR_S:
        with _known.lock:
            if time.monotonic() - _known.read_at >= KNOWN_FOR_S:
                began = time.monotonic()  # from before the question: the answer may be as old as that
                _known.routes = {row.task_name: _route(row) for row in _table().all()}
                _known.read_at = began
    return _known.routes.get(task_name) or _by_default(task_name)


def side_of(task_name: str, tenant_id: int | None, key: str | None = None) -> str:
    """celery, shadow or postgres, for a call of this task by this tenant."""
    return of(task_name).side_for(tenant_id, key)


def find(task_name: str) -> Route:
    """The task's route as the table has it now. Raises UnknownTask."""
    _must_be_known(task_name)
    row = _table().filter(task_name=task_name).first()
    return _by_default(task_name) if row is None else _route(row)


def listing() -> list[Route]:
    """The route of every registered task, by name, as the table has it now; and of names that are not registered (any more)."""
    rows = {row.task_name: _route(row) for row in _table().all()}
    names = sorted({*registry.registered(), *rows})
    return [rows.get(name) or _by_default(name) for name in names]


def forget() -> None:
    """Let the next call ask the table, whatever this process has read."""
    _known.read_at = float("-inf")


def _table() -> Any:
    return BridgeRoute.objects.using(settings().database)


def _route(row: BridgeRoute) -> Route:
    return Route(
        row.task_name, row.side, row.percent, row.sticks_to, row.version, row.changed_at, row.changed_by, row.reason
    )


def _by_default(task_name: str) -> Route:
    return Route(task_name, settings().celery_bridge_default)


def document(route: Route) -> dict[str, Any]:
    """A route for programs."""
    return {
        "task": route.task_name,
        "side": route.side,
        "percent": route.percent if route.side == CANARY else None,
        "sticks_to": route.sticks_to or None,
        "version": route.version,
        "changed_at": None if route.changed_at is None else route.changed_at.isoformat(),
        "changed_by": route.changed_by,
        "reason": route.reason,
    }


# -- changing


def change(
    task_names: Sequence[str],
    side: str,
    *,
    percent: float | None = None,
    sticks_to: str | None = None,
    expected: Mapping[str, int] | None = None,
    reason: str = "",
) -> list[Route]:
    """Send the calls of these tasks there, all of them or (when one is refused) none. Call `settle` after the transaction.

    `expected` says which version of a route somebody has seen: RouteChanged if it is another by now. Raises UnknownTask,
    WrongRoute, NotAllowed.
    """
    membership.allow("route", None)
    names = sorted(dict.fromkeys(task_names))
    _check(names, side, percent, sticks_to)
    with transaction.atomic(using=settings().database):
        changed = [_change(name, side, percent, sticks_to, (expected or {}).get(name), reason) for name in names]
    for each in changed:
        logger.info("route changed by hand task=%s to=%s version=%s", each.task_name, each, each.version)
    forget()
    return changed


def settle() -> None:
    """Wait until no process goes by what was set before the last commit."""
    time.sleep(KNOWN_FOR_S)
    forget()


def _change(
    name: str, side: str, percent: float | None, sticks_to: str | None, expected: int | None, reason: str
) -> Route:
    queries.fetch("hold_route", {"task_name": name})  # also of a task that has no row yet
    row = _table().select_for_update().filter(task_name=name).first()
    before = _by_default(name) if row is None else _route(row)
    if expected is not None and expected != before.version:
        raise RouteChanged(name, expected, before.version, str(before), before.changed_by)
    row = row or BridgeRoute(task_name=name, version=0)
    row.side, row.percent = side, percent if side == CANARY and percent is not None else 0
    row.sticks_to = (row.sticks_to if sticks_to is None else sticks_to) if side == CANARY else ""
    row.version += 1
    row.changed_at, row.changed_by = Now(), audit.actor()
    row.reason = audit.storable(reason)
    row.save(using=settings().database)
    row.refresh_from_db(using=settings().database)
    after = _route(row)
    audit.write("route", f"task {name}", reason=reason, before=_said(before), after=_said(after))
    return after


def _said(route: Route) -> dict[str, Any]:
    more = {"percent": route.percent, "sticks_to": route.sticks_to} if route.side == CANARY else {}
    return {"side": route.side, **more, "version": route.version}


def _check(names: Sequence[str], side: str, percent: float | None, sticks_to: str | None) -> None:
    if not names:
        raise WrongRoute("Which task? No task was named, so no route was changed.")
    for name in names:
        _must_be_known(name)
    if side not in BridgeRoute.Side.values:
        raise WrongRoute(f"No side is called {side!r}; right is one of {', '.join(BridgeRoute.Side.values)}.")
    if (percent is not None) != (side == CANARY):
        raise WrongRoute(
            "A canary needs its share: a percentage from 0 to 100." if side == CANARY else f"{side!r} takes no percentage: only a canary does."
        )  # fmt: skip
    if percent is not None and not 0 <= percent <= 100:
        raise WrongRoute(f"A canary of {percent!r} %; right is a number from 0 to 100.")
    if sticks_to is not None and side != CANARY:
        raise WrongRoute(f"Only a canary sticks to something; {side!r} is for every call.")
    if side != POSTGRES and not extra.is_there():
        raise WrongRoute(
            f"{side!r} sends calls to Celery, which is not installed here: pip install 'youtility-tasks[celery]'. Without it every call "
            "goes to PostgreSQL."
        )
    for name in names:
        task = registry.get(name)
        takes_any = any(each.kind is Parameter.VAR_KEYWORD for each in task.signature.parameters.values())
        if sticks_to not in (None, "", EVERYTHING) and not takes_any and sticks_to not in task.signature.parameters:
            known = ", ".join(task.signature.parameters) or "none"
            raise WrongRoute(f"Task {name!r} has no argument {sticks_to!r} to stick to; its arguments: {known}.")


def _must_be_known(name: str) -> None:
    if registry.find(name) is None:
        raise UnknownTask(name, registry.registered())
