"""The one door of every call: which side takes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from youtility_tasks.declaration import Task

from . import flows, here


def send(task: Task, args: Any, kwargs: Any, options: Mapping[str, Any]) -> Any:
    """Have one call run, on the side that its route says; its AsyncResult. One with links is a canvas."""
    if options.get("link") or options.get("link_error"):
        return send_canvas(flows.of_call(task, args, kwargs, options), (), {}, {})
    return here.send(task, args, kwargs, options)


def send_canvas(
    canvas: Mapping[str, Any], args: Sequence[Any], kwargs: Mapping[str, Any], options: Mapping[str, Any]
) -> Any:
    """Start a canvas (a Signature, or the dict that it is): here if each of its tasks goes here, else as a whole there."""
    return here.send_canvas(canvas, args, kwargs, options)
