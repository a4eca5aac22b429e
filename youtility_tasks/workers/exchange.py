"""A worker's connection without cursors: the statements of the pump, prepared, and between them what is notified.

After a pause nothing is in the processor's caches, and code costs by its length. A cursor of psycopg is some hundred
functions; here are a few, around the same parts of it that are in C. And a server process that has just passed on a
notification is awake: the claim that follows goes to the same one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import psycopg
from psycopg import generators
from psycopg.adapt import Transformer
from psycopg.pq import ConnStatus, ExecStatus
from psycopg.pq.abc import PGconn, PGresult
from psycopg.waiting import READY_R, READY_W, WAIT_W

from youtility_tasks import queries

Told = list[tuple[str, str]]
"""Channel and payload of each notification."""


class Exchange:
    """For one connection: a statement at a time, which goes on to its end when its asker is cancelled."""

    def __init__(
        self,
        connection: psycopg.AsyncConnection[Any],
        hear: Callable[[Told], None] = lambda told: None,
        lose: Callable[[Exception], None] = lambda error: None,
    ) -> None:
        """`hear`: what was notified, as soon as no statement is under way. `lose`: the connection failed while none was."""
        self._pgconn = connection.pgconn
        self._socket = connection.pgconn.socket  # a lost connection does not tell it any more
        self._loop = asyncio.get_running_loop()
        self._rows = Transformer(connection)
        self._encoding = connection.info.encoding
        self._prepared: set[str] = set()
        self._answer: _Answer | None = None
        self._hear, self._lose = hear, lose
        self._heard: Told = []
        connection.add_notify_handler(lambda told: self._heard.append((told.channel, told.payload)))
        self.resume()

    async def ask(self, name: str, parameters: Mapping[str, Any], *, deadline_s: float) -> list[tuple[Any, ...]]:
        """Run it; its rows. Parameters are text, whole numbers or None; the statement tells their types. Raises psycopg.Error, TimeoutError."""
        text, names = queries.numbered(name)
        known_as = f"youtility_tasks_{name}".encode()
        if name not in self._prepared:
            self._pgconn.send_prepare(known_as, text)
            queries.sound(await self._answered(deadline_s), ExecStatus.COMMAND_OK)
            self._prepared.add(name)
        self._pgconn.send_query_prepared(known_as, queries.as_texts(names, parameters))
        return queries.load(self._rows, await self._answered(deadline_s))

    async def settle(self) -> None:
        """Wait for the end of a statement whose asker is gone; what has become of it nobody wants to know."""
        if self._answer is not None:
            await asyncio.wait({self._answer.future})

    def resume(self) -> None:
        """Hear again, after psycopg has used the connection: its wait ends with nobody at the socket."""
        self._loop.add_reader(self._socket, self._readable)
        self._tell()

    def look(self) -> None:
        """Hear what has come and was not read yet, where no statement is under way."""
        if self._answer is None:
            self._readable()

    def leave(self) -> None:
        """Hear nothing more; the connection is about to be closed."""
        self._loop.remove_reader(self._socket)
        if self._answer is not None:
            self._answer.fail(psycopg.InterfaceError("the connection was closed"))

    async def _answered(self, deadline_s: float) -> list[PGresult]:
        answer = self._answer = _Answer(self._pgconn, self._loop, self._ended)
        answer.go_on(None)
        late = self._loop.call_later(deadline_s, answer.fail, TimeoutError(f"no answer in {deadline_s} s"))
        try:
            return await asyncio.shield(answer.future)
        finally:
            if answer.future.done():
                late.cancel()

    def _readable(self) -> None:
        if self._answer is not None:
            self._answer.go_on(READY_R)
            return
        try:
            self._pgconn.consume_input()
        except psycopg.Error as error:
            self._loop.remove_reader(self._socket)
            self._lose(error)
        else:
            self._tell()

    def _ended(self) -> None:
        self._answer = None
        if self._pgconn.status != ConnStatus.OK:  # the answer was its last, and its socket may soon be somebody else's
            self._loop.remove_reader(self._socket)
        self._tell()

    def _tell(self) -> None:
        """What has come with an answer, and what stands in the driver's buffer behind it: for that nothing will be readable."""
        while (told := self._pgconn.notifies()) is not None:
            self._heard.append((told.relname.decode(self._encoding), told.extra.decode(self._encoding)))
        if self._heard:
            heard, self._heard = self._heard, []
            self._hear(heard)


class _Answer:
    """To what was sent last."""

    def __init__(self, pgconn: PGconn, loop: asyncio.AbstractEventLoop, end: Callable[[], None]) -> None:
        self.future: asyncio.Future[list[PGresult]] = loop.create_future()
        self._loop, self._socket, self._say_ended = loop, pgconn.socket, end
        self._steps = generators.execute(pgconn)
        self._writes = False

    def fail(self, error: Exception) -> None:
        """Wait no longer; nothing if the answer is there."""
        if not self.future.done():
            self._let_write(False)
            # It is of no more use, and the end of a connection would be told again and again.
            self._loop.remove_reader(self._socket)
            self.future.set_exception(error)
            self.future.exception()  # its asker may be gone; a failure that nobody fetches would be logged

    def go_on(self, ready: Any) -> None:
        """The socket is ready; None: nobody has looked."""
        if self.future.done():
            return
        try:
            wait = self._steps.send(ready)
        except StopIteration as end:
            self._let_write(False)
            self.future.set_result(end.value)
            self._say_ended()
        except Exception as error:
            self.fail(error)
        else:
            self._let_write(bool(wait & WAIT_W))

    def _let_write(self, wanted: bool) -> None:
        """Large endings do not fit into the socket at once."""
        if wanted and not self._writes:
            self._loop.add_writer(self._socket, self.go_on, READY_W)
        elif self._writes and not wanted:
            self._loop.remove_writer(self._socket)
        self._writes = wanted
