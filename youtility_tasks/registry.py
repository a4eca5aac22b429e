"""Every declared task by its name, and the decorator that enters it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, overload

from django.utils.module_loading import import_string

from . import foreign, queues, tasks_api
from .declaration import Task
from .errors import ConfigurationError, UnknownTask

logger = logging.getLogger(__name__)

_registry: dict[str, Task] = {}
on_register: list[Callable[[Task], None]] = []
"""Called with each task as it is declared; `apps.py` fills it."""
finders: list[Callable[[str], Task | None]] = []
"""Asked in turn for a task that was not declared here; `apps.py` fills it."""


@overload
def task(function: Callable[..., Any], /) -> Task: ...
@overload
def task(
    *,
    name: str | None = None,
    queue_name: str = queues.MAINTENANCE,
    priority: int = 5,
    backend: str = "default",
    takes_context: bool = False,
    **options: Any,
) -> Callable[[Callable[..., Any]], Task]: ...
def task(
    function: Callable[..., Any] | None = None,
    *,
    name: str | None = None,
    queue_name: str = queues.MAINTENANCE,
    priority: int = 5,
    backend: str = "default",
    takes_context: bool = False,
    **options: Any,
) -> Task | Callable[[Callable[..., Any]], Task]:
    """Declare a module-level function as a task: `@task` or `@task(queue_name="email", priority=3, ...)`.

    Takes the fields of Task. Raises ConfigurationError for a second task of the same name or a bad option,
    UnknownQueue for a queue that is not configured.
    """

    def declare(func: Callable[..., Any]) -> Task:
        try:
            declared = Task(
                func=func,
                task_name=name or func.__name__,
                queue_name=queue_name,
                priority=priority,
                backend=backend,
                takes_context=takes_context,
                **options,
            )
        except TypeError as error:
            raise ConfigurationError(f"Task {name or func.__name__!r}: {error}") from error
        _register(declared)
        return declared

    return declare(function) if function is not None else declare


def _register(declared: Task) -> None:
    for known_as in (declared.task_name, *declared.aliases):
        other = _registry.get(known_as)
        if other is not None and other.module_path != declared.module_path:
            raise ConfigurationError(
                f"Two tasks are called {known_as!r}: {other.module_path} and {declared.module_path}. Give one a `name=`."
            )
    for known_as in (declared.task_name, *declared.aliases):
        _registry[known_as] = declared
    for listener in on_register:
        listener(declared)


def registered() -> dict[str, Task]:
    """Every declared task by its name, sorted; aliases are left out."""
    return {name: declared for name, declared in sorted(_registry.items()) if name == declared.task_name}


def find(task_name: str) -> Task | None:
    """The task of that name or alias, or None."""
    return _registry.get(task_name)


def get(task_name: str) -> Task:
    """The task of that name or alias. Raises UnknownTask with the nearest name."""
    found = _registry.get(task_name)
    if found is None:
        raise UnknownTask(task_name, registered())
    return found


def adopt(plain: tasks_api.Task, *, moved: Mapping[str, str] | None = None) -> Task:  # type: ignore[type-arg]
    """Another Django package's task as one of ours: its name is its path, its priority -100..100 becomes 10..1.

    `moved` says which queue of theirs is which of ours; by default the task's own backend does.
    """
    if isinstance(plain, Task):
        return plain
    declared = _plain(plain.module_path)
    if moved is None:
        moved = getattr(plain.get_backend(), "moved", {})
    return Task(
        func=plain.func,
        task_name=plain.module_path,
        queue_name=foreign.queue_name(plain.queue_name, moved),
        priority=foreign.priority(plain.priority),
        backend=plain.backend,
        run_after=foreign.instant(plain.run_after),
        takes_context=plain.takes_context,
        tenant="all",
        verbatim=True,
        stands_for=plain,
        called_with={} if declared is None else foreign.changes(plain, declared),
    )


def _plain(path: str) -> tasks_api.Task | None:  # type: ignore[type-arg]
    """Another Django package's task by its path; None if there is none. Whatever its module raises while it is loaded is raised."""
    if not foreign.is_within_reach(path):
        return None
    try:
        found = import_string(path)
    except ImportError:
        return None
    return found if isinstance(found, tasks_api.Task) else None


def resolve(task_name: str) -> Task | None:
    """The task that a job names: a registered one, a finder's, or another package's Django task by its path; else None.

    Only modules of packages that are loaded already are imported: a name comes from a table, and must not load just anything.
    """
    known = _registry.get(task_name) or next(filter(None, (find_more(task_name) for find_more in finders)), None)
    if known is not None or "." not in task_name:
        return known
    try:
        plain = _plain(task_name)
        return _registry.get(task_name) if plain is None else adopt(plain)  # its module may have declared one of ours
    except Exception:  # whatever a module does while it is loaded must not end the worker that looks for a name
        logger.warning("no task could be loaded task=%s", task_name, exc_info=True)
        return None


def forget(task_name: str) -> None:
    """Take a task out of the registry; for tests that declare their own."""
    declared = _registry.get(task_name)
    if declared is not None:
        for known_as in (declared.task_name, *declared.aliases):
            _registry.pop(known_as, None)
