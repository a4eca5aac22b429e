"""Sends the tenant's token with the statements of Django's own connection, and none when there is no tenant.

The token belongs to the transaction (`set_config(..., true)`), so that a transaction pooler hands nobody else's on. It goes
out in the same round trip as the first statement that needs it, and as a bound value: what other sessions can see of
ours (`pg_stat_activity`) and what the server logs never shows it.
"""

from __future__ import annotations

import contextlib
import contextvars
import re
import threading
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
from django.db import ProgrammingError, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from psycopg.pq import TransactionStatus

from youtility_tasks import tenants
from youtility_tasks.conf import settings
from youtility_tasks.errors import TenantsNotApart

from . import roles, token
from .rights import USERS

_SEND = "SELECT set_config('youtility_tasks.token', %s, true)"
_STEERING = re.compile(
    r"\s*(BEGIN|START|COMMIT|END|ABORT|ROLLBACK|SAVEPOINT|RELEASE|PREPARE\s+TRANSACTION)\b", re.IGNORECASE
)
"""Statements that begin and end transactions: they read no row, and must not be put into one."""
_BACK = re.compile(r"\s*ROLLBACK\b", re.IGNORECASE)

_INSUFFICIENT_PRIVILEGE = "42501"

Execute = Callable[[str, Any, bool, dict[str, Any]], Any]


class _Unknown:
    """What the server has now: a savepoint's rollback brought back an earlier token, or the statement failed."""


_UNKNOWN = _Unknown()


class Guard:
    """An `execute_wrapper` of one connection."""

    def __init__(self) -> None:
        self.sent: token.Sent | _Unknown | None = None
        """What this transaction was told last."""

    def __call__(self, execute: Execute, sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        try:
            return self._run(execute, sql, params, many, context)
        except ProgrammingError as refused:
            if getattr(refused.__cause__, "sqlstate", None) == _INSUFFICIENT_PRIVILEGE and roles.acting_as() in USERS:
                refused.add_note(_advice())
            raise

    def _run(self, execute: Execute, sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        connection = context["connection"]
        raw: psycopg.Connection[Any] = connection.connection
        status = raw.info.transaction_status
        if status == TransactionStatus.IDLE:
            self.sent = None
        if roles.acting_as() not in USERS or status == TransactionStatus.INERROR or _STEERING.match(sql):
            if _BACK.match(sql):
                self.sent = _UNKNOWN
            return execute(sql, params, many, context)
        acting = tenants.acting()
        wanted = None if acting is None else token.current(acting)
        if wanted is self.sent:
            return execute(sql, params, many, context)
        if status == TransactionStatus.IDLE and raw.autocommit:
            # A statement by itself would be over before a second one could tell for whom it is.
            with transaction.atomic(using=connection.alias):
                return self._send(wanted, execute, sql, params, many, context)
        return self._send(wanted, execute, sql, params, many, context)

    def _send(
        self, wanted: token.Sent | None, execute: Execute, sql: str, params: Any, many: bool, context: dict[str, Any]
    ) -> Any:
        connection = context["connection"]
        raw: psycopg.Connection[Any] = connection.connection
        text = "" if wanted is None else wanted.text
        self.sent = _UNKNOWN
        if _fits_a_pipeline(sql, context["cursor"]):
            with connection.wrap_database_errors, raw.pipeline():
                psycopg.Cursor(raw).execute(_SEND, [text])
                result = execute(sql, params, many, context)
        else:
            with connection.wrap_database_errors:
                psycopg.Cursor(raw).execute(_SEND, [text])
            result = execute(sql, params, many, context)
        self.sent = wanted
        return result


def _advice() -> str:
    """For whoever reads that the database let something not happen."""
    acting = tenants.acting()
    if acting is None:
        return (
            "No tenant is set here, so no row of any can be written: wrap it in `with tenant(id):`; a task that serves every tenant "
            "is declared with tenant='all' and loops over `tenants_in_scope()`."
        )
    whose = f"tenant {acting}" if acting else "no tenant in particular (a sweep: enter each with `with tenant(id):`)"
    return f"It was done for {whose}: rows of another can be neither written nor pointed at."


def _fits_a_pipeline(sql: str, cursor: Any) -> bool:
    """One statement, on a cursor that asks for all its rows: the protocol takes neither several nor the server's own cursors."""
    return ";" not in sql.rstrip().rstrip(";") and not isinstance(cursor.cursor, psycopg.ServerCursor)


def install() -> None:
    """Guard every connection to the queue's database from now on; asks at each statement whether there is anything to do."""
    connection_created.connect(_guard, dispatch_uid="youtility_tasks.tenancy.guard")


def _guard(sender: object, connection: BaseDatabaseWrapper, **kwargs: object) -> None:
    if settings().roles is None or connection.alias not in settings().aliases:
        return
    if not any(isinstance(wrapper, Guard) for wrapper in connection.execute_wrappers):
        # In front: `connection.execute_wrapper()` takes its own away from the end.
        connection.execute_wrappers.insert(0, Guard())
    if roles.acting_as() in USERS:
        _look_once(connection)


_looking = threading.local()
_looked_at: set[tuple[str, ...]] = set()
"""Databases and users at which this process has looked."""


def _look_once(connection: BaseDatabaseWrapper) -> None:
    """Raise TenantsNotApart, and close the connection, where row level security would bind nobody; 10 ms once a process."""
    way = tuple(str(connection.settings_dict[key]) for key in ("HOST", "PORT", "NAME", "USER"))
    if way in _looked_at or getattr(_looking, "now", False):
        return
    # In a context of its own: whoever is the first to connect may be in a tenant's block, or on a connection of his own. Beside a loop
    # that runs in this thread, Django makes another connection for it, which is not looked at once more.
    _looking.now = True
    try:
        found = contextvars.Context().run(_look, connection)
    finally:
        _looking.now = False
    if found:
        connection.close()
        raise TenantsNotApart(found)
    _looked_at.add(way)


def _look(connection: BaseDatabaseWrapper) -> Any:
    from . import check  # only where roles are set, and once a process

    found = check.voids()
    used = connections[connection.alias]
    if used is not connection:
        used.close()
    return found


@contextlib.contextmanager
def bringing() -> Iterator[str | None]:
    """Around a statement that can bring this context's token along itself: the token, if the transaction has not had it yet.

    None: there is nothing to bring, and the statement goes the usual way.
    """
    acting = tenants.acting()
    if settings().roles is None or roles.acting_as() not in USERS or acting is None:
        yield None
        return
    connection = connections[settings().database]
    connection.ensure_connection()
    guard = next(wrapper for wrapper in connection.execute_wrappers if isinstance(wrapper, Guard))
    raw: psycopg.Connection[Any] = connection.connection
    status, wanted = raw.info.transaction_status, token.current(acting)
    if status == TransactionStatus.INERROR or (status != TransactionStatus.IDLE and guard.sent is wanted):
        yield None
        return
    guard.sent = _UNKNOWN
    yield wanted.text
    guard.sent = wanted  # by itself it has taken the token with it, and the next statement finds the connection at rest
