"""Celery's settings as far as they mean something here: from the Celery application, else from Django's settings (`CELERY_...`)."""

from __future__ import annotations

import contextlib
import fnmatch
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from django.conf import settings as django_settings

from youtility_tasks import queues
from youtility_tasks.conf import settings
from youtility_tasks.errors import NotOfCelery, UnknownQueue

DEFAULTS: Mapping[str, Any] = {
    "accept_content": ["json"],
    "beat_schedule": {},
    "enable_utc": True,
    "result_serializer": "json",
    "task_acks_late": False,
    "task_always_eager": False,
    "task_annotations": None,
    "task_default_priority": None,
    "task_default_queue": "celery",
    "task_default_rate_limit": None,
    "task_eager_propagates": False,
    "task_ignore_result": False,
    "task_routes": None,
    "task_serializer": "json",
    "task_soft_time_limit": None,
    "task_time_limit": None,
    "timezone": None,
}
"""Those that are read here; others are kept and mean nothing."""

_LOWEST = 9


class Conf(Mapping[str, Any]):
    """`app.conf`: `app.conf.task_always_eager = True`, `app.conf.update(...)`, `app.conf["timezone"]`."""

    is_whole: bool
    """An application of ours was made, and what it does not say nobody does."""
    before_schedules: list[Callable[[], None]]
    """Called before `beat_schedule` is told: who enters some into it."""

    def __init__(self) -> None:
        object.__setattr__(self, "_said", {})
        object.__setattr__(self, "_namespace", "CELERY")
        object.__setattr__(self, "is_whole", False)
        object.__setattr__(self, "before_schedules", [])

    def __getitem__(self, name: str) -> Any:
        said = object.__getattribute__(self, "_said")
        if name == "beat_schedule":
            for add in self.before_schedules:
                add()
        if name in said:
            return said[name]
        theirs = None if object.__getattribute__(self, "is_whole") else _application()
        if theirs is not None:
            with contextlib.suppress(KeyError):
                return theirs.conf[name]
        namespace = object.__getattribute__(self, "_namespace")
        key = f"{namespace}_{name}".upper() if namespace else name
        if hasattr(django_settings, key):
            return getattr(django_settings, key)
        if name in DEFAULTS:
            return DEFAULTS[name]
        raise KeyError(name)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        try:
            return self[name]
        except KeyError:
            return None

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "is_whole":
            object.__setattr__(self, name, value)
        else:
            self.update({name: value})

    def __setitem__(self, name: str, value: Any) -> None:
        self.update({name: value})

    def __iter__(self) -> Iterator[str]:
        return iter({**DEFAULTS, **object.__getattribute__(self, "_said")})

    def __len__(self) -> int:
        return len(list(iter(self)))

    def update(self, *given: Mapping[str, Any], **more: Any) -> None:
        """Take these settings. Raises NotOfCelery for what would have another meaning here."""
        for each in (*given, more):
            for name, value in each.items():
                _check(name, value)
                object.__getattribute__(self, "_said")[name] = value

    def check(self) -> None:
        """Raise NotOfCelery for a setting, Django's too, that cannot be carried."""
        for name in DEFAULTS.keys() - {"beat_schedule"}:
            _check(name, self[name])

    def from_object(self, source: Any, namespace: str | None) -> None:
        """Take the settings of a module or class (by its name, too); Django's own are read as they are when somebody asks."""
        if source == "django.conf:settings" or source is django_settings:
            object.__setattr__(self, "_namespace", namespace or "")
            return  # they are checked when they are there
        prefix = f"{namespace}_" if namespace else ""
        for name in dir(source):
            if name.startswith(prefix) and re.fullmatch(r"[A-Za-z]\w*", name):
                self.update({name.removeprefix(prefix).lower(): getattr(source, name)})


def _check(name: str, value: Any) -> None:
    flaw = None
    if name in ("task_serializer", "result_serializer") and value not in (None, "json"):
        flaw = "arguments and results are JSON: pass ids and plain values (instants, UUIDs and decimals go as they are)"
    elif name == "accept_content" and value and not {"json", "application/json"} & set(value):
        flaw = "only JSON is read: name 'json', too"
    elif name == "task_default_rate_limit" and value:
        flaw = "a rate is set for all workers together, at run time: `manage_task_queue limits`"
    elif name == "task_routes":
        flaw = _flaw_of_routes(value)
    elif name == "task_annotations":
        flaw = _flaw_of_annotations(value)
    if flaw:
        raise NotOfCelery(f"The setting {name} = {value!r:.80} of Celery cannot be had here; instead, {flaw}.")


conf = Conf()
"""Of the Celery application of this process, of ours or of Celery's own; without one, of Django's settings."""


def _application() -> Any:
    """The real Celery application that this process has made; None if it has made none."""
    state = sys.modules.get("celery._state")
    made = None if state is None else state._tls.current_app or state.default_app
    is_stopgap = made is not None and made.main == "default" and not made.set_as_current
    return None if is_stopgap else made


def queue_for(task_name: str, wanted: str | None) -> str:
    """Our queue for a task: as named, else as `task_routes` says, else Celery's default queue; by the setting `celery_queues`.

    What Celery has by default is `maintenance` here, unless the setting says otherwise. Raises UnknownQueue.
    """
    default = conf["task_default_queue"] or "celery"
    name = wanted or _route(task_name).get("queue") or default
    known, moved = queues.configured(), settings().celery_queues or {}
    ours = moved.get(name, name)
    if ours in known:
        return str(ours)
    if name == default and name not in moved:
        return queues.MAINTENANCE if queues.MAINTENANCE in known else next(iter(known))
    error = UnknownQueue(task_name, ours, known)
    error.args = (
        f"{error} YOUTILITY_TASKS['celery_queues'] says which of Celery's queues is which: {{{str(name)!r}: {min(known)!r}}}.",
    )
    raise error


def priority_for(task_name: str, wanted: Any) -> int | None:
    """Our priority (1, most urgent, to 10) for one of Celery's on Redis (0, most urgent, to 9)."""
    given = wanted if wanted is not None else _route(task_name).get("priority", conf["task_default_priority"])
    if given is None:
        return None
    if isinstance(given, bool) or not isinstance(given, int) or not 0 <= given <= _LOWEST:
        raise NotOfCelery(
            f"Task {task_name!r}: priority is {given!r}; right is 0 (most urgent) to 9, as Celery has it on Redis."
        )
    return given + 1


def _route(task_name: str) -> Mapping[str, Any]:
    """What `task_routes` says of a task: by its name, else by the first pattern."""
    for each in _listed(conf["task_routes"]):
        pairs = _pairs(each)
        exact = [route for name, route in pairs if name == task_name]
        for route in exact or [route for name, route in pairs if _matches(name, task_name)]:
            return route if isinstance(route, Mapping) else {"queue": route}
    return {}


def annotated(task_name: str) -> dict[str, Any]:
    """What `task_annotations` says of a task."""
    found: dict[str, Any] = {}
    for each in _listed(conf["task_annotations"]):
        found |= {**each.get("*", {}), **each.get(task_name, {})}
    return found


_OF_ROUTES = frozenset({"queue", "priority", "routing_key", "exchange", "exchange_type", "delivery_mode"})


def _flaw_of_routes(value: Any) -> str | None:
    for each in _listed(value):
        if not isinstance(each, Mapping | list | tuple):
            return "a router in code is not asked: name the queue in the declaration (`queue=`), at the call, or by a pattern (`{'feed.*': {'queue': 'feeds'}}`)"
        for _, route in _pairs(each):
            if not isinstance(route, Mapping):
                continue
            if route.get("queue") is None and (route.get("exchange") or route.get("routing_key")):
                return "a route names a queue: `{'queue': ...}`"
            if more := sorted(set(route) - _OF_ROUTES):
                return f"a route says the queue and the priority: declare {', '.join(more)} with the task"
    return None


def _flaw_of_annotations(value: Any) -> str | None:
    for each in _listed(value):
        if not isinstance(each, Mapping) or not all(isinstance(said, Mapping) for said in each.values()):
            return "annotations are `{'name of a task, or *': {'attribute': value}}`: declare the rest with the task, or in its base"
        if any(str(name).startswith("@") for said in each.values() for name in said):
            return "nothing is wrapped around a method (`@...`): write a base (`base=`) that overrides it"
    return None


def _listed(value: Any) -> Iterable[Any]:
    return value if isinstance(value, list | tuple) else [] if value is None else [value]


def _pairs(routes: Any) -> list[tuple[Any, Any]]:
    return list(routes.items() if isinstance(routes, Mapping) else routes)


def _matches(pattern: Any, task_name: str) -> bool:
    if isinstance(pattern, re.Pattern):
        return pattern.match(task_name) is not None
    return "*" in pattern and fnmatch.fnmatchcase(task_name, pattern)
