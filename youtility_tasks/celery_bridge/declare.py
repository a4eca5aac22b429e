"""`@shared_task` and `@app.task`: a function, or a Task with a `run`, becomes a task of Celery's form, and one of ours of the same name."""

from __future__ import annotations

import inspect
import sys
import types
from collections.abc import Callable, Mapping
from inspect import Parameter, Signature
from typing import Any

from youtility_tasks import registry
from youtility_tasks.context import TaskContext
from youtility_tasks.errors import ConfigurationError, NotOfCelery
from youtility_tasks.workers import run

from . import absent, config, exceptions, in_celery, known, tracing, validating
from .app import current_app
from .task import Task

_OF_HOUSE = ("tenant", "isolated", "record_at_once")
"""Options of our own that a declaration may name besides."""
_CONTEXT = Parameter("context", Parameter.POSITIONAL_ONLY)

on_declared: list[Callable[[Task], None]] = [in_celery.offer]
"""Called with each task as it is declared; the side of Celery makes one of its own of it."""


def declare(
    function: Callable[..., Any], options: Mapping[str, Any], *, app: Any = None, main: str = "__main__"
) -> Task:
    """Make a task of a function."""
    said = {**options}
    base, bind, name = (
        said.pop("base", None) or getattr(app, "Task", Task),
        said.pop("bind", False),
        said.pop("name", None),
    )
    if not (isinstance(base, type) and issubclass(base, Task)):
        raise NotOfCelery(
            f"{function.__qualname__} has base={base!r:.80}, which is no Task of this package, so that its calls would go past their routes; "
            "instead, change the import of that class, too: `from youtility_tasks.celery_bridge import Task`."
        )
    absent.refuse_half(function)
    if inspect.iscoroutinefunction(function):
        raise NotOfCelery(
            f"{function.__qualname__} is a coroutine function, which Celery does not run, either; instead, declare it with "
            "`youtility_tasks.task`: it then runs on a loop."
        )
    name = name or name_of(function, main)
    if said.pop("pydantic", False):
        function = validating.validated(
            function,
            bind=bind,
            strict=said.pop("pydantic_strict", None),
            context=said.pop("pydantic_context", None),
            dump=said.pop("pydantic_dump_kwargs", None),
        )
    members = {
        "run": function if bind else staticmethod(function),
        "bind": bind,
        "__doc__": function.__doc__,
        "__module__": function.__module__,
        "__wrapped__": staticmethod(function),
        "abstract": False,
    }
    made: Task = type(function.__name__, (base,), members)()
    made.app = app if app is not None else current_app
    return enter(made, name, said, function)


def enter(made: Task, name: str, options: Mapping[str, Any], function: Callable[..., Any]) -> Task:
    """Make a task known by this name, to us and to our queue."""
    config.conf.check()
    made.name = name
    made.said = {key: value for key, value in options.items() if key not in _OF_HOUSE}
    for key, value in {**options, **config.annotated(name)}.items():
        if key not in _OF_HOUSE:
            setattr(made, key, types.MethodType(value, made) if inspect.isfunction(value) else value)
    _refuse(made)
    absent.refuse_in_body(name, function, is_bound=made.bind or inspect.ismethod(function))
    taken = inspect.signature(function)
    made.signature_of_run = taken.replace(parameters=list(taken.parameters.values())[1 if made.bind else 0 :])
    limit = made.soft_time_limit or made.time_limit
    limit = limit or config.conf["task_soft_time_limit"] or config.conf["task_time_limit"]
    priority = config.priority_for(name, made.priority)
    others = {key: options[key] for key in _OF_HOUSE if key in options}
    made.house = registry.task(
        name=name,
        queue_name=config.queue_for(name, getattr(made.queue, "name", made.queue)),
        priority=5 if priority is None else priority,
        takes_context=True,
        timeout_s=limit,
        verbatim=True,
        **{"tenant": "all", **others},
    )(_entry(made, function))
    known.tasks[name] = made
    run.time_is_up[:], run.on_expired[:] = [exceptions.time_is_up()], [tracing.tell_expired]
    for tell in on_declared:
        tell(made)
    return made


def name_of(function: Callable[..., Any], main: str) -> str:
    """The name that Celery gives: of the module and the function; `main` stands for the module that is run."""
    module = function.__module__
    if module == "__main__":
        spec = getattr(sys.modules["__main__"], "__spec__", None)
        module = spec.name if main == "__main__" and spec is not None else main
    return f"{module}.{function.__name__}"


def _refuse(made: Task) -> None:
    """Raise NotOfCelery for what the declaration, its base or the settings say of the task and cannot be had."""

    def said(key: str) -> Any:
        return made.__dict__.get(key, getattr(type(made), key, None))

    for key, way_out in absent.DECLARED.items():
        value = said(key)
        if value not in (None, False):
            raise NotOfCelery(
                f"Task {made.name!r}: {key}={value!r:.80} of Celery cannot be had here; instead, {way_out}."
            )
    serializer = said("serializer")
    if serializer not in (None, "json"):
        raise NotOfCelery(
            f"Task {made.name!r}: serializer={serializer!r:.80} of Celery cannot be had here; instead, arguments and results are JSON: pass "
            "ids and plain values (instants, UUIDs, decimals and bytes go as they are)."
        )
    if made.max_retries is not None and (isinstance(made.max_retries, bool) or not isinstance(made.max_retries, int)):
        raise ConfigurationError(
            f"Task {made.name!r} has max_retries={made.max_retries!r}; right is a whole number, or None for no end."
        )


def _entry(made: Task, function: Callable[..., Any]) -> Callable[..., Any]:
    """What a worker's child calls; it shows the signature of the body."""

    def entry(context: TaskContext, /, *args: Any, **kwargs: Any) -> Any:
        return tracing.run(made, context, args, kwargs)

    def shown() -> None: ...

    try:
        shown.__signature__ = Signature([_CONTEXT, *made.signature_of_run.parameters.values()])  # type: ignore[attr-defined]
        entry.__wrapped__ = shown  # type: ignore[attr-defined]
    except ValueError:  # an argument of its own that is called `context`
        pass
    entry.__module__, entry.__name__, entry.__doc__ = function.__module__, function.__name__, function.__doc__
    entry.__qualname__ = function.__qualname__.rpartition("<locals>.")[2]
    return entry
