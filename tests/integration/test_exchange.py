"""Statements without a cursor around them, and what is notified: as a cursor would have it, and none is lost between two."""

from __future__ import annotations

import asyncio
import select
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any, cast

import psycopg
import pytest
from psycopg.pq import ConnStatus, ExecStatus
from psycopg.waiting import READY_R

from youtility_tasks import queries
from youtility_tasks.workers.exchange import Exchange

pytestmark = pytest.mark.usefixtures("committed")

Scene = Callable[[psycopg.AsyncConnection[Any]], Awaitable[None]]
DEADLINE_S = 10.0


def play(scene: Scene) -> None:
    """On a connection of its own, on a loop of its own."""

    async def played() -> None:
        async with await psycopg.AsyncConnection.connect(
            queries.conninfo("test exchange"), autocommit=True
        ) as connection:
            await scene(connection)

    asyncio.run(played())


def end_session(pid: int) -> None:
    with psycopg.connect(queries.conninfo("test aside"), autocommit=True) as aside:
        aside.execute("SELECT pg_terminate_backend(%s)", [pid])


# -- statements


def test_values_go_out_and_rows_come_back_in_their_types(says: Callable[..., None]) -> None:
    says(
        typed="SELECT %(n)s::bigint + 1, %(text)s || '!', ARRAY[1, %(n)s]::bigint[], NULL::float8, %(absent)s::jsonb IS NULL, true"
    )

    async def scene(connection: psycopg.AsyncConnection[Any]) -> None:
        exchange = Exchange(connection)
        for n in (1, 2**40):  # the second time it is prepared
            rows = await exchange.ask("typed", {"n": n, "text": "é", "absent": None}, deadline_s=DEADLINE_S)
            assert rows == [(n + 1, "é!", [1, n], None, True, True)]

    play(scene)


def test_endings_that_do_not_fit_into_the_socket_arrive_whole(says: Callable[..., None]) -> None:
    says(size="SELECT length(%(text)s)")

    async def scene(connection: psycopg.AsyncConnection[Any]) -> None:
        size = 32 * 1024 * 1024
        assert await Exchange(connection).ask("size", {"text": "x" * size}, deadline_s=DEADLINE_S) == [(size,)]

    play(scene)


def test_a_statement_whose_asker_is_cancelled_goes_on_to_its_end(says: Callable[..., None]) -> None:
    says(
        slow="WITH s AS MATERIALIZED (SELECT pg_sleep(0.2)) INSERT INTO kept SELECT 1 FROM s RETURNING 1",
        count="SELECT count(*) FROM kept",
    )

    async def scene(connection: psycopg.AsyncConnection[Any]) -> None:
        await connection.execute("CREATE TEMPORARY TABLE kept (n integer)")
        exchange = Exchange(connection)
        await exchange.ask("count", {}, deadline_s=DEADLINE_S)
        asking = asyncio.ensure_future(exchange.ask("slow", {}, deadline_s=DEADLINE_S))
        await asyncio.sleep(0.05)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await exchange.settle()
        assert await exchange.ask("count", {}, deadline_s=DEADLINE_S) == [(1,)]

    play(scene)


def test_no_answer_in_time_is_a_timeout(says: Callable[..., None]) -> None:
    says(slow="SELECT pg_sleep(0.3)")

    async def scene(connection: psycopg.AsyncConnection[Any]) -> None:
        exchange, descriptor = Exchange(connection), connection.fileno()
        with pytest.raises(TimeoutError, match=r"no answer in 0\.1 s"):
            await exchange.ask("slow", {}, deadline_s=0.1)
        assert not asyncio.get_running_loop().remove_reader(descriptor)
        assert exchange._answer is not None
        await asyncio.to_thread(select.select, [descriptor], [], [], DEADLINE_S)
        exchange._answer.go_on(READY_R)  # it comes after all, and nobody is told twice
        connection.pgconn.finish()

    play(scene)


def test_who_waits_is_told_when_the_connection_is_left(says: Callable[..., None]) -> None:
    says(slow="SELECT pg_sleep(20)")

    async def scene(connection: psycopg.AsyncConnection[Any]) -> None:
        exchange = Exchange(connection)
        asking = asyncio.ensure_future(exchange.ask("slow", {}, deadline_s=DEADLINE_S))
        await asyncio.sleep(0.05)
        exchange.leave()
        with pytest.raises(psycopg.InterfaceError, match="closed"):
            await asking
        connection.pgconn.finish()

    play(scene)


def test_the_servers_refusal_is_psycopgs_error_and_the_connection_is_as_good_as_before(
    says: Callable[..., None],
) -> None:
    says(divide="SELECT 1 / %(by)s::integer", wrong="SELECT nothing", good="SELECT 1")

    async def scene(connection: psycopg.AsyncConnection[Any]) -> None:
        exchange = Exchange(connection)
        for name, parameters, error in (
            ("divide", {"by": 0}, psycopg.errors.DivisionByZero),
            ("divide", {"by": 0}, psycopg.errors.DivisionByZero),
            ("wrong", {}, psycopg.errors.UndefinedColumn),
            ("divide", {"by": "1\0"}, psycopg.DataError),
        ):
            with pytest.raises(error):
                await exchange.ask(name, parameters, deadline_s=DEADLINE_S)
            assert await exchange.ask("good", {}, deadline_s=DEADLINE_S) == [(1,)]

    play(scene)


def test_a_session_that_is_ended_under_a_statement_is_an_operational_error(says: Callable[..., None]) -> None:
    says(slow="SELECT pg_sleep(20)")

    async def scene(connection: psycopg.AsyncConnection[Any]) -> None:
        asking, descriptor = (
            asyncio.ensure_future(Exchange(connection).ask("slow", {}, deadline_s=DEADLINE_S)),
            connection.fileno(),
        )
        await asyncio.sleep(0.05)
        await asyncio.to_thread(end_session, connection.info.backend_pid)
        with pytest.raises(psycopg.OperationalError):
            await asking
        assert not asyncio.get_running_loop().remove_reader(descriptor)

    play(scene)


def test_of_several_answers_the_failure_counts_and_none_is_a_lost_connection(says: Callable[..., None]) -> None:
    async def scene(connection: psycopg.AsyncConnection[Any]) -> None:
        cursor = await connection.execute("SELECT 1")
        good = cursor.pgresult
        assert good is not None
        bad = connection.pgconn.make_empty_result(ExecStatus.FATAL_ERROR)
        assert queries.sound([good], ExecStatus.TUPLES_OK) is good
        with pytest.raises(psycopg.Error):
            queries.sound([good, bad], ExecStatus.TUPLES_OK)
        with pytest.raises(psycopg.OperationalError, match="no answer"):
            queries.sound([], ExecStatus.TUPLES_OK)

    play(scene)


# -- notifications


class Ear:
    """What an exchange has told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []
        self.lost: list[Exception] = []
        self.changed = asyncio.Event()

    def hear(self, told: list[tuple[str, str]]) -> None:
        self.told += told
        self.changed.set()

    def lose(self, error: Exception) -> None:
        self.lost.append(error)
        self.changed.set()

    async def wait(self) -> None:
        async with asyncio.timeout(DEADLINE_S):
            await self.changed.wait()


async def notify(count: int) -> None:
    async with await psycopg.AsyncConnection.connect(queries.conninfo("test aside"), autocommit=True) as aside:
        await aside.execute("SELECT pg_notify('here', n::text) FROM generate_series(1, %s) n", [count])


def test_what_is_notified_comes_in_the_connections_encoding() -> None:
    async def scene() -> None:
        info = {"autocommit": True, "client_encoding": "WIN1252"}
        async with await psycopg.AsyncConnection.connect(queries.conninfo("test exchange"), **info) as connection:
            await connection.execute("LISTEN here")
            ear = Ear()
            Exchange(connection, ear.hear)
            with psycopg.connect(queries.conninfo("test aside"), autocommit=True) as aside:
                aside.execute("NOTIFY here, 'café'")
            await ear.wait()
            assert ear.told == [("here", "café")]

    asyncio.run(scene())


def test_who_looks_hears_at_once_what_nobody_has_read(says: Callable[..., None]) -> None:
    """After a standstill, before the loop has come round."""
    says(slow="SELECT pg_sleep(0.3)")

    async def scene(connection: psycopg.AsyncConnection[Any]) -> None:
        await connection.execute("LISTEN here")
        ear = Ear()
        exchange = Exchange(connection, ear.hear)
        asking = asyncio.ensure_future(exchange.ask("slow", {}, deadline_s=DEADLINE_S))
        await asyncio.sleep(0.05)
        exchange.look()  # it is the answer's turn
        await asking
        with psycopg.connect(queries.conninfo("test aside"), autocommit=True) as aside:
            aside.execute("NOTIFY here, 'now'")
        select.select([connection.fileno()], [], [], DEADLINE_S)
        exchange.look()
        assert ear.told == [("here", "now")]

    play(scene)


def test_what_is_notified_is_heard_at_once_and_in_order() -> None:
    async def scene(connection: psycopg.AsyncConnection[Any]) -> None:
        ear = Ear()
        await connection.execute("LISTEN here")
        Exchange(connection, ear.hear, ear.lose)
        await notify(3)
        await ear.wait()
        assert ear.told == [("here", "1"), ("here", "2"), ("here", "3")]

    play(scene)


def test_what_is_notified_under_a_statement_is_heard_with_its_end_and_once(says: Callable[..., None]) -> None:
    says(mine="SELECT pg_notify('here', 'mine') IS NULL", slow="SELECT pg_sleep(0.3) IS NULL")

    async def scene(connection: psycopg.AsyncConnection[Any]) -> None:
        ear = Ear()
        await connection.execute("LISTEN here")
        exchange = Exchange(connection, ear.hear, ear.lose)
        await exchange.ask("mine", {}, deadline_s=DEADLINE_S)
        assert ear.told == [("here", "mine")]
        asking = asyncio.ensure_future(exchange.ask("slow", {}, deadline_s=DEADLINE_S))
        await notify(1)
        await asking
        ear.changed.clear()
        if len(ear.told) == 1:
            await ear.wait()
        assert ear.told == [("here", "mine"), ("here", "1")]

    play(scene)


def test_after_a_cursor_has_used_the_connection_it_is_listened_to_again() -> None:
    async def scene(connection: psycopg.AsyncConnection[Any]) -> None:
        ear = Ear()
        await connection.execute("LISTEN here")
        exchange = Exchange(connection, ear.hear, ear.lose)
        await connection.execute("SELECT pg_sleep(0.05)")
        await connection.execute("NOTIFY here, 'mine'")
        exchange.resume()
        assert ear.told == [("here", "mine")]
        ear.changed.clear()
        await notify(1)
        await ear.wait()
        assert ear.told == [("here", "mine"), ("here", "1")]

    play(scene)


def test_what_stands_behind_an_answer_in_the_drivers_buffer_is_told_with_it() -> None:
    """Nothing becomes readable for it. The server's own order is another, so here a driver says it."""

    class Driver:
        status = ConnStatus.OK

        def __init__(self) -> None:
            self.kept = [SimpleNamespace(relname=b"here", extra=b"late")]

        def notifies(self) -> Any:
            return self.kept.pop() if self.kept else None

    async def scene() -> None:
        ear = Ear()
        exchange = Exchange.__new__(Exchange)
        exchange._pgconn, exchange._heard, exchange._hear = cast("Any", Driver()), [("here", "early")], ear.hear
        exchange._encoding = "utf-8"
        exchange._ended()
        assert ear.told == [("here", "early"), ("here", "late")]

    asyncio.run(scene())


def test_a_connection_that_ends_while_nothing_is_asked_is_known_at_once_and_told_once() -> None:
    async def scene(connection: psycopg.AsyncConnection[Any]) -> None:
        ear, descriptor = Ear(), connection.fileno()
        Exchange(connection, ear.hear, ear.lose)
        await asyncio.to_thread(end_session, connection.info.backend_pid)
        await ear.wait()
        await asyncio.sleep(0.05)
        assert [isinstance(error, psycopg.OperationalError) for error in ear.lost] == [True]
        assert not asyncio.get_running_loop().remove_reader(descriptor)

    play(scene)


def test_nothing_is_heard_of_a_connection_that_was_left() -> None:
    async def scene(connection: psycopg.AsyncConnection[Any]) -> None:
        ear = Ear()
        await connection.execute("LISTEN here")
        Exchange(connection, ear.hear, ear.lose).leave()
        await notify(1)
        await asyncio.sleep(0.1)
        assert not ear.told
        assert not asyncio.get_running_loop().remove_reader(connection.fileno())

    play(scene)
