"""Mutants of the SQL functions: a check must pass on the function and fail once its guard is taken out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from django.db import DatabaseError, transaction

from tests.integration.desk import Desk, execute, rows

LONE, PUMP_LONE = "youtility_tasks_claim_lone_v1", "youtility_tasks_pump_lone_v1"
"""The claim of one job that comes to an idle queue, and what tries it first; all others are made without it."""


class Undone(Exception):
    """Ends a block whose writes are to be forgotten."""


@contextmanager
def undone() -> Iterator[None]:
    """A savepoint that is always rolled back."""
    try:
        with transaction.atomic():
            yield
            raise Undone
    except Undone:
        pass


def definition(function: str) -> str:
    ((text,),) = rows("SELECT pg_get_functiondef(oid) FROM pg_proc WHERE proname = %s", function)
    return str(text)


@contextmanager
def long_way() -> Iterator[None]:
    """Desks claim as if the short way of a lone job were closed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Desk, "takes_short_way", False)
        yield


def must_catch(check: Callable[[], None], function: str, guard: str, instead: str) -> None:
    """`check` passes, by either way of a claim; and with `guard` replaced in the SQL function it fails."""
    if function not in (LONE, PUMP_LONE):
        with long_way():
            _must_catch(check, function, guard, instead)
    with undone():
        check()
    if function in (LONE, PUMP_LONE):
        _must_catch(check, function, guard, instead)


def _must_catch(check: Callable[[], None], function: str, guard: str, instead: str) -> None:
    with undone():
        check()
    original = definition(function)
    assert guard in original, f"{function} has no {guard!r}"
    with undone():
        execute(original.replace(guard, instead).replace("%", "%%"))
        try:
            with transaction.atomic():
                check()
        except (AssertionError, DatabaseError):
            return
        pytest.fail(f"nobody notices when {guard!r} is gone from {function}")
