"""A TCP proxy before the queue's database that can be deaf, cut replies, and reset connections."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

_CHUNK = 1 << 16
_HEAD = 5
_NOTIFICATION = b"A"
_RESET = struct.pack("ii", 1, 0)


class Frames:
    """What a server sends, message by message: a letter, four bytes of length, and so many bytes."""

    def __init__(self) -> None:
        self._head = b""
        self._left = 0
        self._is_dropped = False
        self._has_begun = False

    def passed(self, chunk: bytes, *, muffled: bool) -> bytes:
        """As it came; `muffled`: without the notifications that begin in it."""
        if not self._has_begun and chunk == b"N":
            return chunk  # encryption was asked for and refused, in one byte
        self._has_begun = True
        kept = []
        while chunk:
            if self._left:
                piece, chunk = chunk[: self._left], chunk[self._left :]
                self._left -= len(piece)
            else:
                need = _HEAD - len(self._head)
                self._head, chunk = self._head + chunk[:need], chunk[need:]
                if len(self._head) < _HEAD:
                    break
                piece, self._head = self._head, b""
                self._left = int.from_bytes(piece[1:], "big") - _HEAD + 1
                self._is_dropped = muffled and piece.startswith(_NOTIFICATION)
            if not self._is_dropped:
                kept.append(piece)
        return b"".join(kept)

    def begins_unasked(self, chunk: bytes) -> bool:
        """Whether a notification begins with it."""
        return not self._left and not self._head and chunk.startswith(_NOTIFICATION)


@dataclass(eq=False, slots=True)
class Pair:
    """One client and its server."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    deaf: bool = False
    listens: bool = False
    """It has sent a LISTEN."""
    request: bytes = b""
    """What the client has sent since the server's last answer."""
    muffled: bool = False
    """Notifications do not pass, all else does."""
    replies: Frames = field(default_factory=Frames)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)


Cut = Callable[[bytes, bytes], bool]
"""(request, reply) -> whether to swallow the reply and reset the connection."""


def after_claim(request: bytes, reply: bytes) -> bool:
    """A reply that carries claimed jobs: more rows than the one that answers for the endings."""
    return b"task_name" in reply and b"verify_" in reply


def after_finish(request: bytes, reply: bytes) -> bool:
    """The reply to endings that were sent: by now they are committed."""
    return b'"verdict"' in request


def after_commit(request: bytes, reply: bytes) -> bool:
    """The reply to a COMMIT."""
    return b"COMMIT" in request


class Proxy:
    """Listens on 127.0.0.1 and passes everything to a Unix socket, until told otherwise. It runs in its own thread."""

    def __init__(self, real: str) -> None:
        self.real = real
        self.port = 0
        self.cuts = 0
        """Replies that were cut."""
        self.delay_s: Callable[[], float] | None = None
        """How long each reply is held back: once, however many pieces it comes in, as a long way does."""
        self._deaf = False
        self._cut: Cut | None = None
        self._left = 0
        self._pairs: set[Pair] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._thread.start()
        self._server: asyncio.Server = self._do(self._listen())

    def go_deaf(self) -> None:
        """Half-open: connections old and new stay open, what they send is taken, and nothing passes."""
        self._call(self._set_deaf)

    def deafen_listeners(self) -> int:
        """The connections that listen for notifications never hear any more, and are answered as before; how many there were."""
        listening = [pair for pair in self._pairs if pair.listens]
        for pair in listening:
            pair.muffled = True
        return len(listening)

    def recover(self) -> None:
        """New connections work again; the old ones stay deaf, as after a failover of a load balancer."""
        self._call(self._set_hearing)

    def cut(self, when: Cut, times: int) -> None:
        """Swallow the next `times` replies of a kind and reset their connections."""
        self._cut, self._left = when, times

    def reset_all(self) -> None:
        """Reset every connection."""
        self._call(self._reset_all)

    def close(self) -> None:
        self._do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def _call(self, act: Callable[[], None]) -> None:
        async def called() -> None:
            act()

        self._do(called())

    def _do(self, what: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(what, self._loop).result(10)

    async def _listen(self) -> asyncio.Server:
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        return server

    async def _end(self) -> None:
        self._server.close()
        tasks = [task for pair in self._pairs for task in pair.tasks]
        self._reset_all()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _set_deaf(self) -> None:
        self._deaf = True
        for pair in self._pairs:
            pair.deaf = True

    def _set_hearing(self) -> None:
        self._deaf = False

    def _reset_all(self) -> None:
        for pair in list(self._pairs):
            self._reset(pair)

    async def _accept(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        try:
            answers, server = await asyncio.open_unix_connection(self.real)
        except OSError:  # the database is down: so is this door
            client.transport.abort()
            return
        pair = Pair(client, server, self._deaf)
        self._pairs.add(pair)
        pair.tasks = [
            asyncio.ensure_future(self._pass_requests(pair, reader)),
            asyncio.ensure_future(self._pass_replies(pair, answers)),
        ]

    async def _pass_requests(self, pair: Pair, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(_CHUNK):
                if not pair.deaf:
                    pair.listens |= b"LISTEN " in chunk
                    pair.request = (pair.request + chunk)[-4 * _CHUNK :]
                    pair.server.write(chunk)
                    await pair.server.drain()
        self._drop(pair)

    async def _pass_replies(self, pair: Pair, answers: asyncio.StreamReader) -> None:
        # A long way holds back each reply for as long, and not the second until the first is there.
        way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(maxsize=1000)
        arriving = asyncio.ensure_future(self._let_arrive(pair, way))
        try:
            with contextlib.suppress(OSError):
                while chunk := await answers.read(_CHUNK):
                    if pair.deaf:
                        continue
                    if self._left and self._cut is not None and self._cut(pair.request, chunk):
                        self._left -= 1
                        self.cuts += 1
                        self._reset(pair)
                        return
                    begins, pair.request = bool(pair.request) or pair.replies.begins_unasked(chunk), b""
                    held_s = self.delay_s() if begins and self.delay_s is not None else 0.0
                    if passed := pair.replies.passed(chunk, muffled=pair.muffled):
                        await way.put((self._loop.time() + held_s, passed))
                await way.put((0.0, b""))
                await arriving
            if not pair.deaf:
                self._drop(pair)
        finally:
            arriving.cancel()

    async def _let_arrive(self, pair: Pair, way: asyncio.Queue[tuple[float, bytes]]) -> None:
        with contextlib.suppress(OSError):
            while True:
                due, chunk = await way.get()
                if not chunk:
                    return
                if due > self._loop.time():
                    await asyncio.sleep(due - self._loop.time())
                if not pair.deaf:
                    pair.client.write(chunk)
                    await pair.client.drain()

    def _reset(self, pair: Pair) -> None:
        sock = pair.client.get_extra_info("socket")
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._drop(pair)

    def _drop(self, pair: Pair) -> None:
        self._pairs.discard(pair)
        for end in (pair.client, pair.server):
            end.transport.abort()
