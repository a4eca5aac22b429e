"""Statements that Django's connection knows by name: the server need not read and plan them anew each time.

Only outside of transactions. There a statement that is known no more (`DISCARD ALL`) has done nothing and is sent as it is; inside
it would have spoilt the caller's transaction. And only where the connection is a session of its own, which behind a pooler in
transaction mode it is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

import psycopg
from psycopg import generators
from psycopg.pq import DiagnosticField, ExecStatus, TransactionStatus
from psycopg.pq.abc import PGresult

_SENT_BEFORE = 5
"""So often a connection has sent what it then prepares: two more round trips are worth it."""

_UNKNOWN_STATEMENT = b"26000"

_WHOSE = b"SELECT pg_backend_pid()"


class _Known:
    """What one connection has sent and prepared, by its text."""

    def __init__(self) -> None:
        self.sent: dict[bytes, int] = {}
        self.prepared: set[bytes] = set()
        self.may_prepare: bool | None = None
        """Whether it is a session of its own, where what is prepared stays and the server has not refused: None until it was asked."""

    def forget(self) -> None:
        """Somebody throws away what is prepared, and may do it again."""
        self.prepared.clear()
        self.may_prepare = False


_known: WeakKeyDictionary[psycopg.Connection[Any], _Known] = WeakKeyDictionary()


def ask(
    connection: psycopg.Connection[Any], name: str, text: bytes, values: Sequence[bytes | None]
) -> Sequence[PGresult]:
    """What the server answers to a statement, whose name no other has; the caller holds the connection's lock."""
    pgconn = connection.pgconn
    if pgconn.transaction_status == TransactionStatus.IDLE:
        known = _known.get(connection)
        if known is None:
            known = _known[connection] = _Known()
        if text in known.prepared or _prepare(connection, known, name, text):
            pgconn.send_query_prepared(_named(name), values)
            results = _answer(connection)
            if not results or results[0].error_field(DiagnosticField.SQLSTATE) != _UNKNOWN_STATEMENT:
                return results
            known.forget()
    pgconn.send_query_params(text, values)
    return _answer(connection)


def _prepare(connection: psycopg.Connection[Any], known: _Known, name: str, text: bytes) -> bool:
    """Whether it is prepared now, having been sent often enough; if that is no use, it is not tried again on this connection."""
    known.sent[text] = times = known.sent.get(text, 0) + 1
    if times <= _SENT_BEFORE or known.may_prepare is False:
        return False
    if known.may_prepare is None:
        connection.pgconn.send_query(_WHOSE)
        known.may_prepare = any(_is_of(connection, result) for result in _answer(connection))
    if not known.may_prepare:
        return False
    connection.pgconn.send_prepare(_named(name), text)
    known.may_prepare = all(result.status == ExecStatus.COMMAND_OK for result in _answer(connection))
    if known.may_prepare:
        known.prepared.add(text)
    return known.may_prepare


def _is_of(connection: psycopg.Connection[Any], result: PGresult) -> bool:
    """Whether the session that answered is the one of which the server has told when the connection began."""
    is_told = result.status == ExecStatus.TUPLES_OK
    return is_told and result.get_value(0, 0) == str(connection.pgconn.backend_pid).encode()


def _named(name: str) -> bytes:
    return f"youtility_tasks_{name}".encode()


def _answer(connection: psycopg.Connection[Any]) -> Sequence[PGresult]:
    return connection.wait(generators.execute(connection.pgconn))
