"""Mutants of the SQL functions: a check must pass on the function and fail once its guard is taken out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from django.db import DatabaseError, transaction

from tests.integration.desk import execute, rows


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


def must_catch(check: Callable[[], None], function: str, guard: str, instead: str) -> None:
    """`check` passes; and with `guard` replaced in the SQL function it fails."""
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
