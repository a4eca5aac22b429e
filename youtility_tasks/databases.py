"""Which database this context works on, where tenants are spread over several; below the settings, which ask it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

here: ContextVar[str | None] = ContextVar("youtility_tasks_database", default=None)
"""The alias of this context; None: the one that the settings name."""

_bound: str | None = None


def bound() -> str | None:
    """The alias that this process serves and never leaves; None for any other process."""
    return _bound


def bind(alias: str | None) -> None:
    """This process, and all that it forks from now on, serves one database: a worker."""
    global _bound
    _bound = alias


@contextlib.contextmanager
def at(alias: str) -> Iterator[None]:
    """Work on that database inside the block: everything of the house, and through `routers.TenantRouter` all models."""
    token = here.set(alias)
    try:
        yield
    finally:
        here.reset(token)
