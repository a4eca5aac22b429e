"""What a commit on Django's connections is worth: nothing where its wait for the standby was cut short, or on an old server.

PostgreSQL answers a cancelled wait for the synchronous standby with success and a warning; the row may be gone after the
next failover. Here that warning is an error, for the whole application on the queue's database.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary, ref

import psycopg
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.db.utils import OperationalError
from psycopg.conninfo import conninfo_to_dict

from . import servers
from .conf import settings
from .errors import CommitOutcomeUnknown

_WAITER = "SyncRepWaitForLSN"
"""The server's function that warns. Its words are in the server's language, and its code is that of every warning."""

_cut_short: WeakKeyDictionary[psycopg.Connection[Any], list[str]] = WeakKeyDictionary()


def is_cut_short(notice: psycopg.errors.Diagnostic) -> bool:
    """Whether a notice says that a commit is on this server alone, as its wait for the standby was cancelled."""
    return notice.source_function == _WAITER


def watch() -> None:
    """Look at every connection to the queue's database from now on."""
    connection_created.connect(_look, dispatch_uid="youtility_tasks.acknowledged")


def be_sure(connection: BaseDatabaseWrapper) -> None:
    """Raise CommitOutcomeUnknown if a statement that was a transaction by itself did not wait for the standby."""
    seen = _cut_short.get(connection.connection) if connection.connection is not None else None
    if seen:
        seen.clear()
        raise CommitOutcomeUnknown


def _look(sender: object, connection: BaseDatabaseWrapper, **kwargs: object) -> None:
    if connection.alias not in settings().aliases or not isinstance(connection.connection, psycopg.Connection):
        return
    raw = connection.connection
    if raw not in _cut_short:  # a pool hands the same one out again
        _watch_commits(raw)
    if "," in str(connection.settings_dict["HOST"]):
        _go_where_writes_go(connection)


def _watch_commits(raw: psycopg.Connection[Any]) -> None:
    seen: list[str] = []
    _cut_short[raw] = seen
    raw.add_notice_handler(lambda notice: seen.append("") if is_cut_short(notice) else None)
    raw.commit = functools.partial(_commit, ref(raw), type(raw).commit, seen)  # type: ignore[method-assign]


def _commit(of: ref[psycopg.Connection[Any]], commit: Callable[[Any], None], seen: list[str]) -> None:
    raw = of()
    if raw is not None:
        seen.clear()
        commit(raw)
        if seen:
            seen.clear()
            raise CommitOutcomeUnknown


def _go_where_writes_go(connection: BaseDatabaseWrapper) -> None:
    """Of several hosts the driver took the first that is writable. If that is not the one, connect once more, to the one."""
    wanted = conninfo_to_dict(_pick(connection))
    info = connection.connection.info
    host, port = str(wanted.get("host", "")), str(wanted.get("port") or info.port)
    if "," in host or (info.host, str(info.port)) == (host, port):
        return
    connection.close()
    kept = connection.settings_dict  # other threads' connections read the same dict
    connection.settings_dict = {**kept, "HOST": host, "PORT": port}
    try:
        connection.connect()
    finally:
        connection.settings_dict = kept


def _pick(connection: BaseDatabaseWrapper) -> str:
    parameters = connection.get_connection_params()
    kept = {key: value for key, value in parameters.items() if key in _NAMING and value not in (None, "")}
    try:
        return servers.pick(psycopg.conninfo.make_conninfo("", **kept))
    except psycopg.OperationalError as error:
        connection.close()
        raise OperationalError(str(error)) from error


_NAMING = {"host", "hostaddr", "port", "dbname", "user", "password", "passfile", "sslmode", "sslrootcert", "sslcert", "sslkey"}  # fmt: skip
