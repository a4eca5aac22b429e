"""The tasks behind `add.map(it)` and `add.starmap(it)`: known by Celery's names, made when somebody first asks for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from youtility_tasks import declaration, registry

from . import declare, known
from .signatures import maybe_signature


def xmap(task: Mapping[str, Any], it: Sequence[Any]) -> list[Any]:
    """Call a task with each element."""
    called = maybe_signature(task)
    return [called(each) for each in it]


def xstarmap(task: Mapping[str, Any], it: Sequence[Any]) -> list[Any]:
    """Call a task with each element as its arguments."""
    called = maybe_signature(task)
    return [called(*each) for each in it]


_BODIES = {"celery.map": xmap, "celery.starmap": xstarmap}


def find(name: str) -> declaration.Task | None:
    """One of them; None for any other name."""
    body = _BODIES.get(name)
    if body is None:
        return None
    if name not in known.tasks:
        declare.declare(body, {"name": name})
        registry.forget(name)  # it is nobody's declaration, and stands in no list
    return known.tasks[name].house
