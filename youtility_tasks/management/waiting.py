"""Says for whom a command waits: a table that somebody has locked looks from a terminal like a command that does nothing."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from contextvars import copy_context

import psycopg
from django.core.management.base import OutputWrapper
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils.connection import ConnectionDoesNotExist
from psycopg.pq import TransactionStatus

from youtility_tasks import queries
from youtility_tasks.conf import settings
from youtility_tasks.errors import ConfigurationError

LOOK_EVERY_S = 3.0
_LOOK_WITHIN_S = 3.0


@contextlib.contextmanager
def told(err: OutputWrapper) -> Iterator[None]:
    """While a statement of the block waits for a lock, tell who holds it, and again whenever that is somebody else."""
    try:
        session = connections[settings().database]
    except (ConfigurationError, ConnectionDoesNotExist):  # the block itself tells of that, or does without
        yield
        return
    over = threading.Event()
    threading.Thread(target=copy_context().run, args=(_look, over, err, session), daemon=True).start()
    try:
        yield
    finally:
        over.set()


def _look(over: threading.Event, err: OutputWrapper, session: BaseDatabaseWrapper) -> None:
    told_of: list[int] = []
    while not over.wait(LOOK_EVERY_S):
        link = session.connection
        if link is None or link.closed or link.info.transaction_status != TransactionStatus.ACTIVE:
            continue
        with contextlib.suppress(psycopg.Error, OSError):  # it only says more; the command itself tells what goes wrong
            holders = _holders(link.info.backend_pid)
            if holders and [*holders] != told_of and not over.is_set():
                told_of = [*holders]
                who = "; ".join(holders.values())
                err.write(f"Waits for a lock that is held by {who}. Ctrl-C ends this command, and not that session.")


def _holders(pid: int) -> dict[int, str]:
    """Who keeps a session waiting, by pid. Behind a transaction pooler a session's number is not the server's: nobody does."""
    with queries.own_connection("waiting", deadline_s=_LOOK_WITHIN_S, part=None) as connection:
        rows = connection.execute(queries.statement("blocked_by"), {"pid": pid}).fetchall()
    return {
        holder: f"session {holder}" + (f" ({', '.join(filter(None, about))}, since {age_s:.0f} s)" if about[0] else "")
        for holder, *about, age_s in rows
    }
