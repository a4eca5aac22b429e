"""The one door of every call: which side takes it.

A call that has been given an id (`task_id=`) stays with the side that got it first, whatever its route says by now: a caller that
died after it had sent the call to Celery, and before its own commit, repeats it there and not here as well. Once that call has ended,
the id is free, as in Celery: who calls by the same id each night goes by the route again.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from youtility_tasks import rehearsal
from youtility_tasks.declaration import Task
from youtility_tasks.tenants import ALL, current_tenant

from . import claims, extra, flows, here, looking, old_side, routes, shadow, theirs
from .results import AsyncResult

looking.elsewhere[:], looking.behind_elsewhere[:] = [theirs.look], [theirs.behind]
looking.members_elsewhere[:] = [theirs.members]
_OVER_MANY = ("celery.map", "celery.starmap")
"""One job that calls another task many times: it goes where that task does."""


def send(task: Task, args: Any, kwargs: Any, options: Mapping[str, Any]) -> Any:
    """Have one call run, on the side that its route says; its AsyncResult. One with links is a canvas.

    On ours it is in the caller's transaction; Celery gets it at once. Raises what that side raises: then nothing was written or sent.
    """
    canvas = None
    if options.get("link") or options.get("link_error") or task.task_name in _OVER_MANY:
        canvas = flows.of_call(task, args, kwargs, options)
        if all_here(names_of(canvas)):
            return here.send(task, args, kwargs, options)
    elif rehearsal.now is not None or not extra.is_there():
        return here.send(task, args, kwargs, options)
    tenant_id = current_tenant() or ALL
    route = routes.of(task.task_name)
    side = route.side if canvas is None else routes.CELERY  # as a whole
    if side == routes.CANARY:
        side = route.side_for(tenant_id, routes.key_of(route, task, args or (), kwargs or {}, tenant_id))
    celery_id = str(options.get("task_id") or "")
    if celery_id:
        has_it = claims.holder(celery_id, tenant_id)
        if has_it is None and side != routes.POSTGRES:
            has_it = claims.enter_for_celery(celery_id, task.name, tenant_id)
        if has_it == claims.POSTGRES and side != routes.POSTGRES:
            return AsyncResult(celery_id)  # it was called here, or has been moved here
        side = routes.CELERY if has_it == claims.CELERY and side == routes.POSTGRES else side
    if side == routes.POSTGRES:
        return here.send(task, args, kwargs, options)
    celery_id = celery_id or str(uuid.uuid4())
    old_side.send(task, args or (), kwargs or {}, options, celery_id=celery_id, tenant_id=tenant_id)
    if side == routes.SHADOW:
        shadow.enqueue(task, args or (), kwargs or {}, options, celery_id=celery_id, tenant_id=tenant_id)
    return AsyncResult(celery_id)


def send_canvas(
    canvas: Mapping[str, Any], args: Sequence[Any], kwargs: Mapping[str, Any], options: Mapping[str, Any]
) -> Any:
    """Start a canvas (a Signature, or the dict that it is): here if each of its tasks goes here, else as a whole in Celery."""
    if all_here(names_of(canvas)):
        return here.send_canvas(canvas, args, kwargs, options)
    return old_side.send_canvas(canvas, args, kwargs, options, tenant_id=current_tenant() or ALL)


def all_here(task_names: Iterable[str]) -> bool:
    """Whether a canvas of these tasks goes to PostgreSQL: only when each of them does, for the current tenant."""
    if rehearsal.now is not None or not extra.is_there():
        return True
    tenant_id = current_tenant() or ALL
    return all(routes.side_of(name, tenant_id) == routes.POSTGRES for name in set(task_names))


def names_of(canvas: Any) -> Iterator[str]:
    """The tasks of a canvas, of what is linked to it, too; those that Celery itself has for canvases are left out."""
    if isinstance(canvas, Mapping):
        name = canvas.get("task")
        if isinstance(name, str) and not name.startswith("celery."):
            yield name
        inside, options = canvas.get("kwargs") or {}, canvas.get("options") or {}
        if canvas.get("subtask_type") or name in _OVER_MANY:
            for part in ("tasks", "header", "body", "task"):
                yield from names_of(inside.get(part))
        for part in ("link", "link_error", "chain", "chord"):
            yield from names_of(options.get(part))
    elif isinstance(canvas, list | tuple):
        for each in canvas:
            yield from names_of(each)
