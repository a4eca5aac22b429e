"""Enqueues one job because a person asked for this very job, by a command or a page: the role is asked, and it is entered."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction

from . import audit, enqueue, membership, tenants
from .conf import settings
from .declaration import Task
from .tasks_api import EnqueuedResult


def submit(
    task: Task, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None, *, reason: str = ""
) -> tuple[EnqueuedResult[Any], bool]:
    """As `enqueue.enqueue_or_find`, for the current tenant, with a row in the audit log (without the arguments).

    Raises NotAllowed for a person without the role, and an EnqueueError for a bad call; then nothing was written.
    """
    tenant_id = tenants.current_tenant()
    membership.allow("run", tenant_id)
    with transaction.atomic(using=settings().database):
        result, is_new = enqueue.enqueue_or_find(task, args, kwargs)
        if is_new or result.is_replaced:
            after = {"job": int(result.id), "queue": task.queue_name}
            if result.is_replaced:
                after["has_new_arguments"] = True
            with tenants.no_tenant() if tenant_id is None else contextlib.nullcontext():
                audit.write("run", task.name, tenant_id=tenant_id or tenants.ALL, reason=reason, after=after)
    return result, is_new
