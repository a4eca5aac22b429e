"""How a call that Celery has stands: from the result backend of the real application."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from youtility_tasks.errors import JobRevoked, NoResult

from . import extra, old_side, states, tracing
from .looking import Look

_UNDER_WAY = frozenset({states.PENDING, "RECEIVED"})


def look(known_as: str) -> Look | None:
    """How the call of this id stands there; None if there is no backend. One that it does not know is PENDING, as Celery says.

    Raises what Celery raises when its backend is away.
    """
    if not extra.is_there():
        return None
    app = old_side.application()
    try:
        meta = app.backend.get_task_meta(known_as)
    except (AttributeError, NotImplementedError):  # no backend is configured
        return None
    state, result = str(meta.get("status")), meta.get("result")
    name = str(meta.get("name") or "")

    def revoke(terminate: bool, signal: Any) -> None:
        app.control.revoke(known_as, terminate=terminate, **({} if signal is None else {"signal": signal}))

    if state in _UNDER_WAY:
        return Look(states.PENDING, task_name=name, revoke=revoke)
    if state == states.SUCCESS:
        return Look(state, result, task_name=name, date_done=_instant(meta.get("date_done")))
    failure: NoResult | None = None
    if state == states.FAILURE:
        kind = type(result)
        failure = tracing.raised(known_as, name, f"{kind.__module__}.{kind.__qualname__}", str(result))
    elif state == states.REVOKED:
        failure = JobRevoked(known_as, name, str(result))
    if failure is None:
        return Look(state, result, task_name=name, is_running=state == states.STARTED, revoke=revoke)
    told = meta.get("traceback")
    return Look(
        state, None, failure, str(told) if told else None, task_name=name, date_done=_instant(meta.get("date_done"))
    )


def behind(known_as: str) -> list[str]:
    """The ids of what has begun there behind a call: its links, and the next of its chain; of a group, its members."""
    if not extra.is_there():
        return []
    try:
        found = old_side.application().backend.get_task_meta(known_as).get("children") or []
    except (AttributeError, NotImplementedError):  # no backend is configured
        return []
    return [each for child in found for each in _ids(child)]


def members(group_id: str) -> list[str]:
    """The ids of a group's members, as `GroupResult.save` has kept them there."""
    if not extra.is_there():
        return []
    try:
        found = old_side.application().backend.restore_group(group_id)
    except (AttributeError, NotImplementedError):
        return []
    return [] if found is None else [each.id for each in found.results]


def _ids(written: Any) -> list[str]:
    """Of a result as Celery writes it: ((id, parent), members), where only a group has members."""
    known, members = written
    if members:
        return [each for member in members for each in _ids(member)]
    return [str(known[0] if isinstance(known, list | tuple) else known)]


def _instant(said: Any) -> datetime | None:
    found = datetime.fromisoformat(said) if isinstance(said, str) else said
    return found if isinstance(found, datetime) else None
