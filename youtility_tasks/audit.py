"""Who did what: one row an act, in the transaction of the act, so that neither is there without the other."""

from __future__ import annotations

import contextlib
import contextvars
import functools
import getpass
import socket
from collections.abc import Iterator, Mapping
from typing import Any

from . import payload
from .conf import settings
from .models import TaskAuditLog

_LONGEST_ACTOR, _LONGEST_TARGET, LONGEST_REASON = 200, 300, 2_000

_actor: contextvars.ContextVar[str | None] = contextvars.ContextVar("youtility_tasks_actor", default=None)


@contextlib.contextmanager
def acting(actor: str) -> Iterator[None]:
    """Inside the block, what is done is done by this person: `with audit.acting(request.user.get_username()):`."""
    token = _actor.set(actor)
    try:
        yield
    finally:
        _actor.reset(token)


def actor() -> str:
    """Who acts here: whom `acting` names, else the operating system's user and host, as "user@host"."""
    return payload.clean_text(_actor.get() or _process_owner(), limit=_LONGEST_ACTOR)


def write(
    act: str,
    target: str,
    *,
    tenant_id: int | None = None,
    reason: str = "",
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """Enter an act; call it in the transaction that does it. `tenant_id`: whose, None if it concerns more than one."""
    TaskAuditLog.objects.using(settings().database).create(
        actor=actor(),
        act=act,
        target=payload.clean_text(target, limit=_LONGEST_TARGET),
        tenant_id=tenant_id,
        reason=storable(reason),
        before=before,
        after=after,
    )


def storable(reason: str) -> str:
    """A reason as a text column takes it."""
    return payload.clean_text(reason, limit=LONGEST_REASON)


@functools.cache
def _process_owner() -> str:
    try:
        name = getpass.getuser()
    except (OSError, KeyError):  # a container's user that no passwd knows
        name = "unknown"
    return f"{name}@{socket.gethostname()}"
