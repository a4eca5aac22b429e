"""Whether a job has left the server's session other than it found it: the next one in it may be another tenant's."""

from __future__ import annotations

import contextlib
from typing import Any
from weakref import WeakKeyDictionary

import psycopg
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

_REPORTED = (b"TimeZone", b"DateStyle", b"IntervalStyle", b"search_path", b"standard_conforming_strings",
             b"default_transaction_read_only", b"client_encoding")  # fmt: skip
"""What changes the meaning of a statement, and of what the server tells of its own accord (`search_path` from version 18 on)."""

_found: WeakKeyDictionary[psycopg.Connection[Any], tuple[bytes | None, ...]] = WeakKeyDictionary()


def watch() -> None:
    """Remember of every connection from now on what it begins with."""
    connection_created.connect(_remember, dispatch_uid="youtility_tasks.workers.session")


def is_changed(connection: BaseDatabaseWrapper) -> bool:
    """Whether its time zone, say, is another than at its beginning; asks nobody. False for what is no psycopg connection."""
    raw = connection.connection
    with contextlib.suppress(TypeError, KeyError, psycopg.Error):
        return _found[raw] != _state(raw)
    return False


def _remember(sender: object, connection: BaseDatabaseWrapper, **kwargs: object) -> None:
    raw = connection.connection
    if isinstance(raw, psycopg.Connection):
        _found[raw] = _state(raw)


def _state(raw: psycopg.Connection[Any]) -> tuple[bytes | None, ...]:
    return tuple(raw.pgconn.parameter_status(name) for name in _REPORTED)
