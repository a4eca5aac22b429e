"""A worker's connection to the queue: one statement at a time, each with a deadline, and the way back after a loss."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Callable, Sequence
from typing import Any

import psycopg
from psycopg import sql

from youtility_tasks import acknowledged, queries, servers
from youtility_tasks.conf import settings

from .exchange import Exchange, Told

logger = logging.getLogger(__name__)

_OFTEN = frozenset({"pump", "pump_lone", "poll"})
"""What the pump asks."""

ANEW: Told = [("", "")]
"""What is heard when a connection is opened: anything may have been notified before."""

_jitter = random.SystemRandom()


class LinkDown(Exception):
    """The statement may or may not have been carried out: the connection failed, or did not answer in time."""


class Turn:
    """One at a time, in the order of asking; who takes it `ahead` waits for nobody but the one whose turn it is.

    A renewal goes ahead. A holder who asks two things in one turn makes it wait for both: with deadlines of 5 s each, for
    as long as a lease.
    """

    def __init__(self) -> None:
        self._line = asyncio.Lock()
        self.ahead = asyncio.Lock()
        """Past everybody who stands in line."""

    async def __aenter__(self) -> None:
        await self._line.acquire()
        try:
            await self.ahead.acquire()
        except BaseException:
            self._line.release()
            raise

    async def __aexit__(self, *_: object) -> None:
        self.ahead.release()
        self._line.release()


class Link:
    """One autocommit connection, opened when it is first needed and again after it failed. Between statements it listens.

    One that is deaf without knowing it costs delay, not work: the worker also polls, and the next renewal finds it dead.
    """

    def __init__(
        self,
        conninfo: str,
        channels: Sequence[str] = (),
        hear: Callable[[Told], None] = lambda told: None,
        lose: Callable[[], None] = lambda: None,
    ) -> None:
        """`hear` is told what is notified on the channels, and ANEW; `lose`, that nothing is heard until somebody asks something.

        Both may do no more than take note of it, and who asks because of a loss must have patience: what it asks may fail, too.
        """
        self.conninfo, self.channels = conninfo, channels
        self._hear, self._lost = hear, lose
        self.turn = Turn()
        """Hold it around a statement and the bookkeeping that must agree with it."""
        self.sent_at = 0.0
        """Monotonic seconds at which the last statement was sent, the connection being there."""
        self._connection: psycopg.AsyncConnection[tuple[Any, ...]] | None = None
        self._exchange: Exchange | None = None
        """There while the connection is, once it has been opened."""
        self._failures = 0
        self._cut_short: list[str] = []
        self.opened = 0
        """How many connections there have been."""

    async def ask(self, name: str, /, **parameters: Any) -> list[tuple[Any, ...]]:
        """Run `sql/<name>.sql`; its rows. The caller holds `turn`. Raises LinkDown."""
        try:
            if name in _OFTEN and self._exchange is not None:
                rows = await self._ask_at_once(self._exchange, name, parameters)
            else:
                rows = await self._ask_with_cursor(name, parameters)
            if self._cut_short:  # asked again under the same claim, it does nothing twice
                raise psycopg.OperationalError("its wait for the synchronous standby was cancelled")
        except (
            psycopg.OperationalError, psycopg.InterfaceError, psycopg.DataError, psycopg.errors.CheckViolation, TimeoutError,
        ) as error:  # fmt: skip
            # CheckViolation: while it waited, somebody attached the day that its history row belongs to; asked again, it goes there.
            # DataError: one row of many is none that the database takes; the others go without it, and no worker ends for it.
            self.close()
            self._failures += 1
            self._lost()
            # Its first line alone: the server's details quote the row, with arguments and what a task has said.
            said = str(error).strip().partition("\n")[0]
            raise LinkDown(f"{name}: {type(error).__name__}: {said}") from error
        self._failures = 0
        return rows

    def hear_now(self) -> None:
        """Take note of what has been notified and not been read yet; the caller holds `turn`."""
        if self._exchange is not None:
            self._exchange.look()

    def distrust(self) -> None:
        """Open another connection: something was notified on this one, and did not arrive. The caller holds `turn`."""
        self.close()
        self._lost()

    async def pause(self) -> None:
        """Wait before trying again: longer with every failure, with jitter, so that a fleet does not return as one."""
        longest = min(settings().reconnect_cap_s, 0.1 * 2 ** min(self._failures, 10))
        await asyncio.sleep(_jitter.uniform(0.5, 1) * longest)

    async def _ask_at_once(self, exchange: Exchange, name: str, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
        await exchange.settle()
        self.sent_at = time.monotonic()
        return await exchange.ask(name, parameters, deadline_s=settings().statement_deadline_s)

    async def _ask_with_cursor(self, name: str, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
        asking = asyncio.ensure_future(self._ask(name, parameters))
        # Not asyncio.timeout(): psycopg answers a cancellation by talking to the server, which may be deaf.
        done, _ = await asyncio.wait({asking}, timeout=settings().statement_deadline_s)
        if not done:
            asking.cancel()
            raise TimeoutError(f"no answer in {settings().statement_deadline_s} s")
        return asking.result()

    async def _ask(self, name: str, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
        connection = await self._open()
        exchange = self._exchange
        if exchange is not None:
            await exchange.settle()
        self.sent_at = time.monotonic()
        try:
            cursor = await connection.execute(queries.statement(name), parameters)
            return await cursor.fetchall() if cursor.description else []
        finally:
            if exchange is not None and exchange is self._exchange and not connection.closed:
                exchange.resume()

    async def _open(self) -> psycopg.AsyncConnection[tuple[Any, ...]]:
        if self._connection is None or self._connection.closed:
            self._connection = await _connect(self.conninfo)
            self._cut_short = []
            self._connection.add_notice_handler(self._heed)
            deadline_ms = max(1, round(settings().statement_deadline_s * 1000))
            await self._connection.execute(queries.statement("bound_statements"), {"deadline_ms": deadline_ms})
            if self.channels:
                listens = [sql.SQL("LISTEN {}").format(sql.Identifier(channel)) for channel in self.channels]
                await self._connection.execute(sql.SQL("; ").join(listens))
            self._exchange = Exchange(self._connection, self._hear, self._lose)
            self.opened += 1
            self._hear(ANEW)
        return self._connection

    def _heed(self, notice: psycopg.errors.Diagnostic) -> None:
        if acknowledged.is_cut_short(notice):
            self._cut_short.append(notice.source_function or "")

    def _lose(self, error: Exception) -> None:
        logger.warning("connection lost, asks for a new one error=%s", type(error).__name__)
        self.close()
        self._lost()

    def close(self) -> None:
        """Drop the connection without a word: the other side may be deaf, and a statement may still be under way."""
        connection, self._connection = self._connection, None
        if self._exchange is not None:
            self._exchange.leave()
            self._exchange = None
        if connection is not None:
            with contextlib.suppress(Exception):
                connection.pgconn.finish()


async def _connect(conninfo: str) -> psycopg.AsyncConnection[tuple[Any, ...]]:
    """To the server that takes writes, of those that are named; never to one that another has taken over from."""
    picked = conninfo
    if len(servers.each_host(conninfo)) > 1:
        picked = await asyncio.to_thread(servers.pick, conninfo)
    connection = await psycopg.AsyncConnection.connect(picked, autocommit=True)
    try:
        cursor = await connection.execute(servers.LOOK)
        system, timeline = await cursor.fetchone() or ("", None)
        servers.accept(system, timeline, servers.where(connection))
    except BaseException:
        connection.pgconn.finish()
        raise
    return connection
