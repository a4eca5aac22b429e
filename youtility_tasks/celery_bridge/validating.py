"""`pydantic=True`: a body's arguments become the models that it names, and a model that it returns becomes plain values."""

from __future__ import annotations

import functools
import inspect
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel


def validated(
    function: Callable[..., Any], *, bind: bool, strict: bool | None, context: Any, dump: Mapping[str, Any] | None
) -> Callable[..., Any]:
    """The function, called with models in the place of dicts. Raises pydantic's ValidationError for what is none."""

    @functools.wraps(function)
    def body(*args: Any, **kwargs: Any) -> Any:
        hints = typing.get_type_hints(function)
        bound = inspect.signature(function).bind(*args, **kwargs)
        skipped = next(iter(bound.arguments), None) if bind else None
        for name, value in bound.arguments.items():
            kind = _model(hints.get(name))
            if kind is not None and name != skipped and value is not None and not isinstance(value, kind):
                bound.arguments[name] = kind.model_validate(value, strict=strict, context=context)
        returned = function(*bound.args, **bound.kwargs)
        return (
            returned.model_dump(**({"mode": "json"} | dict(dump or {})))
            if isinstance(returned, BaseModel)
            else returned
        )

    return body


def _model(hint: Any) -> type[BaseModel] | None:
    """The model that an annotation is, or is next to None."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        others = [each for each in typing.get_args(hint) if each is not type(None)]
        hint = others[0] if len(others) == 1 else None
    return hint if isinstance(hint, type) and issubclass(hint, BaseModel) else None
