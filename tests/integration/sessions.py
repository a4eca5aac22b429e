"""Several sessions at once: threads with connections of their own, and statements that wait for each other."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from django.db import connection, connections

from tests.integration.desk import rows


def at_once(n: int, act: Callable[[int], Any]) -> list[Any]:
    """`act(0) .. act(n - 1)`, each in a thread and session of its own, started together; their results."""
    barrier = threading.Barrier(n)

    def one(number: int) -> Any:
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")  # connected before the race begins
            barrier.wait(20)
            return act(number)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(n) as pool:
        return list(pool.map(one, range(n)))


class Aside:
    """A session beside the test's own, whose statements may have to wait for it."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1)
        self.pid = int(self._pool.submit(self._connect).result(10))

    @staticmethod
    def _connect() -> int:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            (pid,) = cursor.fetchone()
        return int(pid)

    def start(self, act: Callable[[], Any]) -> Future[Any]:
        """Begin; the result comes when the other sessions let it."""
        return self._pool.submit(act)

    def do(self, act: Callable[[], Any]) -> Any:
        """Do it to the end; it must not have to wait for anybody."""
        return self.start(act).result(10)

    def until_it_waits(self) -> None:
        """Return once the session's statement waits for a lock."""
        deadline = time.monotonic() + 10
        while not rows("SELECT 1 FROM pg_stat_activity WHERE pid = %s AND wait_event_type = 'Lock'", self.pid):
            assert time.monotonic() < deadline, "it does not wait"
            time.sleep(0.01)

    def close(self) -> None:
        self._pool.submit(connections.close_all).result(10)
        self._pool.shutdown()


@contextmanager
def aside() -> Any:
    session = Aside()
    try:
        yield session
    finally:
        session.close()
