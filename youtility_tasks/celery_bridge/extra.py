"""Whether Celery is installed beside us; asked without loading it."""

from __future__ import annotations

import functools
import importlib.util

from youtility_tasks.errors import ExtraMissing

SHADOWS = "shadow:"
"""Before the name of a task whose jobs are shadows."""


@functools.cache
def is_there() -> bool:
    """Whether the packages of the extra `celery` that sending takes are installed."""
    return all(importlib.util.find_spec(name) is not None for name in ("celery", "redis"))


def must_be_there() -> None:
    """Raise ExtraMissing if they are not."""
    if not is_there():
        raise ExtraMissing(
            "celery", "celery", "Or send every call to PostgreSQL: `celery_bridge route --all postgres`."
        )
