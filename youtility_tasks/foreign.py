"""Other Django packages' tasks in our terms, and back: queue, priority, the options of a call, arguments, results."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.conf import settings as django_settings
from django.utils import timezone

from . import payload, queues, tasks_api
from .declaration import LEAST_URGENT, MOST_URGENT, Task
from .errors import NotJson

CALLED_WITH = "using"
"""The key beside a call's `args` and `kwargs` that keeps what its `using` changed of the declaration."""

_OURS, _THEIRS = 5, 100
"""Our default, which Django's 0 becomes; the end of Django's scale on either side of it."""
_OPTIONS = ("priority", "queue_name", "backend", "run_after")


def priority(theirs: int) -> int:
    """Django's -100..100 (more is more urgent, 0 the default) as our 10..1 (1 is most urgent, 5 the default)."""
    steps = _OURS - MOST_URGENT if theirs > 0 else LEAST_URGENT - _OURS
    return min(LEAST_URGENT, max(MOST_URGENT, _OURS - round(theirs * steps / _THEIRS)))


def queue_name(theirs: str, moved: Mapping[str, str]) -> str:
    """Where jobs for a queue of theirs go: as `moved` says, else to ours of the same name, else to `maintenance`."""
    known = queues.configured()
    wanted = moved.get(theirs, theirs)
    return queues.MAINTENANCE if wanted not in known and queues.MAINTENANCE in known else wanted


def instant(run_after: datetime | None) -> datetime | None:
    """A `run_after`, aware; under USE_TZ=False, Django's are naive and mean TIME_ZONE."""
    if run_after is None or not timezone.is_naive(run_after) or django_settings.USE_TZ:
        return run_after
    return timezone.make_aware(run_after)


def changes(called: tasks_api.Task, declared: tasks_api.Task) -> dict[str, Any]:  # type: ignore[type-arg]
    """What `using` changed of a declaration, as JSON."""
    found = {name: getattr(called, name) for name in _OPTIONS if getattr(called, name) != getattr(declared, name)}
    if found.get("run_after") is not None:
        found["run_after"] = found["run_after"].isoformat()
    return found


def as_called(declared: tasks_api.Task, stored: Mapping[str, Any]) -> tasks_api.Task:  # type: ignore[type-arg]
    """The task with the options that a job's row keeps of its call; as declared where they cannot be had any more."""
    changed = stored.get(CALLED_WITH)
    if not isinstance(changed, Mapping) or not changed:
        return declared
    try:
        wanted = {name: changed[name] for name in _OPTIONS if name in changed}
        if wanted.get("run_after") is not None:
            wanted["run_after"] = datetime.fromisoformat(wanted["run_after"])
        return replace(declared, **wanted)
    except Exception:  # a queue or a backend that is gone from the settings; whatever SQL has written
        return declared


def arguments(task: Task, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """A call as a job's row keeps it: fit for JSON as Django makes it (tuples are lists, UTF-8 is text). Raises NotJson."""
    given = {"args": list(args), "kwargs": dict(kwargs)}
    try:
        stored: dict[str, Any] = tasks_api.normalize_json(given)
    except (TypeError, ValueError, RecursionError) as error:
        try:  # it knows the place, and what would be right
            payload.check(f"Task {task.name!r}", given, max_bytes=2**40, max_depth=100)
        except NotJson as flaw:
            raise NotJson(f"{flaw} ({error})") from error
        raise NotJson(f"Task {task.name!r}: {error}. Pass ids and plain values.") from error
    return {**stored, CALLED_WITH: dict(task.called_with)} if task.called_with else stored


def takes(task: Task, args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
    """Whether the function itself takes the call, where a decorator shows the signature of what it wraps."""
    itself = inspect.signature(task.func, follow_wrapped=False)
    try:
        itself.bind(*([None] if task.takes_context else []), *args, **kwargs)
    except TypeError:
        return False
    return True


def result(value: Any) -> Any:
    """What a task returned, fit for JSON. Raises TypeError or ValueError for what is not: the attempt has then failed."""
    return tasks_api.normalize_json(value)


def is_within_reach(path: str) -> bool:
    """Whether the module of this path may be imported for the name of a job: only from packages that this process uses already.

    A name comes from a table, and must not load just anything. The package need not be an application: Wagtail's search
    runs a task of `modelsearch`, which it imports.
    """
    return path.partition(".")[0] in sys.modules
