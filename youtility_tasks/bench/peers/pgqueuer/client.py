"""pgqueuer's client. It is asynchronous; each call runs its loop until the jobs are durable."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import asyncpg
from pgqueuer.db import AsyncpgDriver
from pgqueuer.queries import Queries

from .. import speak


class Pgqueuer:
    """One connection, each call a statement of its own."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.connection = self.run(asyncpg.connect(os.environ["DATABASE_URL"]))
        self.queries = Queries(AsyncpgDriver(self.connection))

    def run(self, coroutine: Any) -> Any:
        return self.loop.run_until_complete(coroutine)

    def one(self) -> None:
        self.run(self.queries.enqueue("noop", json.dumps(speak.ARGUMENTS).encode()))

    def many(self, n: int) -> None:
        payloads = [json.dumps(speak.ARGUMENTS).encode() for _ in range(n)]
        self.run(self.queries.enqueue(["noop"] * n, payloads, [0] * n))

    def mark(self, path: str, sent: float) -> None:
        self.run(self.queries.enqueue("mark", json.dumps({"path": path, "sent": sent}).encode()))

    @contextlib.contextmanager
    def at_once(self) -> Iterator[None]:
        transaction = self.connection.transaction()
        self.run(transaction.start())
        yield
        self.run(transaction.commit())

    def left(self) -> int:
        return int(self.run(self.connection.fetchval("SELECT count(*) FROM pgqueuer")))

    def clear(self) -> None:
        self.run(self.connection.execute("TRUNCATE pgqueuer, pgqueuer_log"))

    def versions(self) -> dict[str, str]:
        return {name: version(name) for name in ("pgqueuer", "asyncpg")}


if __name__ == "__main__":
    speak.serve(Pgqueuer())
