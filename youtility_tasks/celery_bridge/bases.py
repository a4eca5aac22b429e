"""The base that an application has written (`base=Mine`, `class Mine(Task)`), for the task that Celery's workers run.

What the base says stands above Celery's own Task, so that `self.request` and `self.retry` are Celery's; the base itself and our
Task come after it, where `super()` finds them.
"""

from __future__ import annotations

from typing import Any

_NOT_TAKEN = frozenset(
    {
        "__module__", "__dict__", "__weakref__", "__doc__", "__qualname__", "__annotations__", "__slots__", "__firstlineno__",
        "__static_attributes__", "__orig_bases__", "__parameters__", "run", "apply_async", "delay", "apply_async_on_commit",
        "delay_on_commit",
    }
)  # fmt: skip
"""What every class has, and calls: they went through the base already when they were sent."""


def written(kind: type) -> list[type]:
    """The classes that are the application's own, the nearest first; not the one that a decorator made of a function."""
    ours = __package__.partition(".")[0]
    classes = kind.__mro__ if has_own_run(kind) else kind.__mro__[1:]
    return [each for each in classes if each is not object and each.__module__.partition(".")[0] != ours]


def has_own_run(kind: type) -> bool:
    """Whether it is a class that the application has written with a `run` of its own, and no function with a decorator."""
    return "__wrapped__" not in kind.__dict__


def for_celery(kind: type) -> type | None:
    """A base for Celery's `shared_task`; None where the application has written none."""
    mine = written(kind)
    if not mine:
        return None
    from celery.contrib.django.task import DjangoTask

    said: dict[str, Any] = {}
    for each in reversed(mine):
        said |= {name: value for name, value in each.__dict__.items() if name not in _NOT_TAKEN}
    return type(mine[0].__name__, (DjangoTask, mine[0]), {**said, "abstract": True, "__module__": mine[0].__module__})
