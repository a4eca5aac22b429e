"""Positional arguments of one of our own tasks, which have names alone: in the order of its parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from inspect import Parameter
from typing import Any

from youtility_tasks.declaration import Task
from youtility_tasks.errors import WrongArguments
from youtility_tasks.payload import safe


def by_name(task: Task, args: Any, kwargs: Any) -> tuple[list[Any], dict[str, Any]]:
    """The call's arguments as `enqueue` takes them: positional ones are given the names of the parameters, in their order.

    The parameters of a keyword-only task stand in the order that they had in Celery. Raises WrongArguments.
    """
    args, kwargs = () if args is None else args, {} if kwargs is None else kwargs
    if isinstance(args, str | bytes) or not isinstance(args, Sequence):
        raise WrongArguments(
            f"Task {task.name!r}: args is {safe(repr, args):.80}; right is a list or tuple of positional arguments."
        )
    if not isinstance(kwargs, Mapping):
        raise WrongArguments(f"Task {task.name!r}: kwargs is {safe(repr, kwargs):.80}; right is a mapping.")
    if task.verbatim:
        return list(args), dict(kwargs)
    named = (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)
    names = [each.name for each in task.signature.parameters.values() if each.kind in named]
    if len(args) > len(names):
        raise WrongArguments(
            f"Task {task.name!r} was given {len(args)} positional arguments; right are at most {len(names)}, in this order: "
            f"{', '.join(names) or 'none'}."
        )
    by_position = dict(zip(names, args, strict=False))
    twice = [name for name in by_position if name in kwargs]
    if twice:
        raise WrongArguments(
            f"Task {task.name!r}: {', '.join(map(repr, twice))} given by position and by name. Positions are: {', '.join(names)}."
        )
    return [], {**by_position, **kwargs}
