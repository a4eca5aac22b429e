"""The only Python that runs `sql/*.sql`: each statement is a file, each file one function or one name here."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import socket
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from importlib import resources
from typing import Any

import psycopg
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg import abc
from psycopg.adapt import Transformer
from psycopg.conninfo import make_conninfo
from psycopg.pq import ExecStatus, TransactionStatus
from psycopg.pq.abc import PGresult

from . import acknowledged, prepared, servers
from .conf import settings
from .errors import ConfigurationError, did_you_mean


@functools.cache
def statement(name: str) -> str:
    """The text of `sql/<name>.sql`."""
    return resources.files(__package__).joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")


_CARRYING = "CASE WHEN set_config('youtility_tasks.trace', %(trace)s, true) IS NOT NULL THEN %(noted)s END"
"""In the place of a value that each statement that enqueues is given: evaluated before any row is written."""


@functools.cache
def _carrying_trace(name: str) -> str:
    return statement(name).replace("%(noted)s", _CARRYING)


def _text(name: str, parameters: Mapping[str, Any]) -> str:
    """The statement; one that is given a trace hands it to the rows that it writes (migration 0044)."""
    return _carrying_trace(name) if "trace" in parameters else statement(name)


_own: ContextVar[psycopg.Connection[Any] | None] = ContextVar("youtility_tasks_own_connection", default=None)


def _cursor() -> Any:
    """On Django's connection, in the caller's transaction; inside `own_connection` on that one."""
    own = _own.get()
    return connections[settings().database].cursor() if own is None else own.cursor()


@contextmanager
def own_connection(
    application_name: str, *, deadline_s: float, part: str | None = "worker"
) -> Iterator[psycopg.Connection[Any]]:
    """Run the statements of this thread's block on a connection of their own, each statement a transaction.

    It connects as that part of the setting `roles`; None: as Django does. After `deadline_s` the connection is cut, so that neither a lock nor a half-open connection holds the caller longer.
    """
    # connect_timeout, not the deadline, covers the time before there is a socket to cut.
    parameters: dict[str, Any] = {"connect_timeout": 5, "autocommit": True}
    with psycopg.connect(servers.pick(conninfo(application_name, part=part)), **parameters) as connection:
        token = _own.set(connection)
        try:
            with deadline(connection, deadline_s):
                yield connection
        finally:
            _own.reset(token)


@contextmanager
def deadline(connection: psycopg.Connection[Any], deadline_s: float) -> Iterator[None]:
    """After so many seconds inside the block the connection is cut, so that neither a lock nor a deaf server holds the caller."""
    descriptor = os.dup(connection.fileno())
    cut = threading.Timer(deadline_s, _cut, [descriptor])
    cut.daemon = True
    cut.start()
    try:
        yield
    finally:
        cut.cancel()
        with contextlib.suppress(OSError):
            os.close(descriptor)


def _cut(descriptor: int) -> None:
    """End the conversation on a socket under whoever waits for its answer."""
    with contextlib.suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as copy:
        copy.shutdown(socket.SHUT_RDWR)


def in_transaction() -> bool:
    """Whether this code is inside a transaction on Django's connection; the one around each test of a TestCase is none of its own."""
    return in_transaction_on(settings().database)


def in_transaction_on(alias: str) -> bool:
    """The same, for one of several databases."""
    blocks = connections[alias].atomic_blocks
    return any(not getattr(block, "_from_testcase", False) for block in blocks)


def fetch(name: str, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """Run a statement on Django's own connection, in the caller's transaction; return its rows."""
    with _cursor() as cursor:
        cursor.execute(_text(name, parameters), dict(parameters))
        rows = list(cursor.fetchall())
    acknowledged.be_sure(connections[settings().database])
    return rows


def fetch_bound(name: str, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """As `fetch`, with the values beside the statement and not in its text: the server shows and logs texts.

    Values are text, numbers, instants and None, whose types the statement tells.
    """
    connection = _connected()
    if _is_idle(connection.connection) and "trace" not in parameters:
        return _fetch_lean(connection, name, parameters)
    connection.validate_no_broken_transaction()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        cursor.execute(_text(name, parameters), dict(parameters))
        rows = list(cursor.fetchall())
    acknowledged.be_sure(connection)
    return rows


def fetch_lean(name: str, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """As `fetch_bound`, at less cost, where nobody watches or logs what goes over Django's connection; there as `fetch`."""
    if _own.get() is not None or "trace" in parameters:
        return fetch(name, parameters)
    connection = _connected()
    if connection.execute_wrappers or connection.queries_logged or not _is_idle(connection.connection):
        return fetch(name, parameters)
    return _fetch_lean(connection, name, parameters)


def _connected() -> BaseDatabaseWrapper:
    """Django's connection, open, as a cursor of its own would find it."""
    connection = connections[settings().database]
    connection.close_if_health_check_failed()
    connection.ensure_connection()
    return connection


def _is_idle(raw: psycopg.Connection[Any]) -> bool:
    """Whether a statement can be sent as it is: the driver has no transaction to begin before, and gathers no statements."""
    pgconn = raw.pgconn
    return (raw.autocommit or pgconn.transaction_status != TransactionStatus.IDLE) and not pgconn.pipeline_status


def _fetch_lean(connection: BaseDatabaseWrapper, name: str, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """Without a cursor: Django's and psycopg's are some sixty functions, and after a pause, when none is in a cache, 0.1 to 0.4 ms."""
    connection.validate_no_broken_transaction()
    connection.validate_thread_sharing()
    raw: psycopg.Connection[Any] = connection.connection
    text, names = numbered(name)
    with connection.wrap_database_errors, raw.lock:
        rows = load(Transformer(raw), prepared.ask(raw, name, text, as_texts(names, parameters)))
    acknowledged.be_sure(connection)
    return rows


_NAMED = re.compile(r"%\((\w+)\)s")


@functools.cache
def numbered(name: str) -> tuple[bytes, tuple[str, ...]]:
    """`sql/<name>.sql` with its parameters by number, as the protocol has them, and their names in that order."""
    text = statement(name)
    names = tuple(dict.fromkeys(_NAMED.findall(text)))
    return _NAMED.sub(lambda found: f"${names.index(found[1]) + 1}", text).encode(), names


def as_texts(names: Iterable[str], parameters: Mapping[str, str | float | datetime | None]) -> list[bytes | None]:
    """Parameters as the server reads them. Raises psycopg.DataError for a NUL, at which the protocol would cut the text off."""
    texts: list[bytes | None] = []
    for name in names:
        value = parameters[name]
        text = None if value is None else str(value).encode()
        if text is not None and b"\0" in text:
            raise psycopg.DataError("PostgreSQL text fields cannot contain NUL (0x00) bytes")
        texts.append(text)
    return texts


def load(rows: abc.Transformer, results: Sequence[PGresult]) -> list[tuple[Any, ...]]:
    """The rows of what one statement was answered. Raises the psycopg.Error that it was instead."""
    result = sound(results, ExecStatus.TUPLES_OK)
    rows.set_pgresult(result)
    return rows.load_rows(0, result.ntuples, tuple)


def sound(results: Sequence[PGresult], wanted: ExecStatus) -> PGresult:
    """The one result, if it is such a one; where a session ends under a statement there may be more of them, or none. Raises psycopg.Error."""
    for result in results:
        if result.status != wanted:
            raise psycopg.errors.error_from_result(result)
    if not results:
        raise psycopg.OperationalError("the server gave no answer")
    return results[0]


def run(name: str, parameters: Mapping[str, Any]) -> int:
    """Run a statement that returns no rows; return how many rows it touched."""
    with _cursor() as cursor:
        cursor.execute(statement(name), dict(parameters))
        return int(cursor.rowcount)


def run_many(name: str, parameters: Sequence[Mapping[str, Any]]) -> None:
    """Run a statement once for each set of parameters, in one round trip where the driver can."""
    with _cursor() as cursor:
        cursor.executemany(statement(name), [dict(p) for p in parameters])


def conninfo(application_name: str, *, part: str | None = "worker") -> str:
    """How to reach the queue's database without Django: for the connections that a worker itself holds.

    By `direct_database` if it is set; as that part of the setting `roles`, if that is set (None: as Django connects). Raises ConfigurationError if that is neither an alias nor a DSN.
    """
    direct = settings().direct_database
    if direct is not None and direct not in connections:
        if "=" not in direct and "://" not in direct:
            raise ConfigurationError(
                f"YOUTILITY_TASKS: direct_database is {direct!r}; right is a DSN (postgresql://user@host/name) or one of the "
                f"aliases {', '.join(sorted(connections))}.{did_you_mean(direct, connections)}"
            )
        try:
            return make_conninfo(direct, application_name=application_name, **_login(part))
        except psycopg.ProgrammingError as error:
            # Not the text itself: it may hold a password.
            raise ConfigurationError(
                f"YOUTILITY_TASKS: direct_database is no DSN: {str(error).strip().split(':')[0]}."
            ) from None
    parameters = connections[settings().database if direct is None else direct].get_connection_params()
    kept = {
        key: value
        for key, value in parameters.items()
        if key
        not in {"cursor_factory", "context", "prepare_threshold", "server_side_binding", "client_encoding", "pool"}
        and isinstance(value, str | int)
    }
    kept["application_name"] = application_name
    return make_conninfo("", **{**kept, **_login(part)})


def _login(part: str | None) -> dict[str, str]:
    roles = settings().roles
    if roles is None or part is None:
        return {}
    return {"user": roles[part]["USER"], "password": roles[part].get("PASSWORD", "")}
