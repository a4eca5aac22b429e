"""Our worker behind the signature of procrastinate's, for tests that look into the memory of their own tasks.

Everything is ours (claim, lease, wake-up, decision, finish, history) but one thing: a child is a thread of this process
and not a process of its own, because procrastinate's tests declare tasks inside functions and let them append to lists.
"""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Iterable
from typing import Any, cast

import procrastinate
import psycopg
from django.db import connections
from django.test import override_settings
from procrastinate import jobs
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from youtility_tasks import queries, queues, registry
from youtility_tasks.conf import QueueSettings
from youtility_tasks.declaration import Task
from youtility_tasks.workers import adopted, board, child, nursery, wire, worker

_NO_PROCESS = 2**22 + 1
"""Larger than any pid of Linux: what would be killed is a thread, and stays."""

IN_THREADS = "upstream tests, in threads"

QUICK = {
    "heartbeat_interval_s": 0.3,
    "lease_s": 30.0,
    "abort_grace_s": 20.0,
    "retry_delay_factor": 1.0,
    "claim_ahead": 0,
}


class _Board(board.Board):
    def lease_is_over(self) -> bool:
        return False  # a child would kill its process group, which here is pytest's


class ThreadNursery:
    """Bears children as threads."""

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self.control, self._other = socket.socketpair()
        self.control.setblocking(False)
        self._inbox = wire.Inbox()
        self._count = 0

    def nursery(self) -> ThreadNursery:
        return self

    def ask(self, board_fd: int) -> socket.socket:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        raised = child._Child(theirs, _Board(os.dup(board_fd)), self.threads, queues.MAINTENANCE)
        threading.Thread(target=self._raise, args=(raised, theirs), daemon=True).start()
        self._count += 1
        self._other.sendall(wire.pack({"born": _NO_PROCESS + self._count}))
        return ours

    @staticmethod
    def _raise(raised: Any, sock: socket.socket) -> None:
        with sock:
            raised.serve()

    def close(self) -> None:
        self.control.close()

    def news(self) -> list[dict[str, int]] | None:
        return wire.receive(self.control, self._inbox)


def conninfo_of(app: procrastinate.App) -> str:
    """Where the app's jobs are: upstream's tests make a database a test, and give its name to a pool."""
    given: dict[str, Any] = getattr(app.connector, "_pool_args", {})
    return make_conninfo(given.get("conninfo", ""), **given.get("kwargs", {}))


async def status_in_history(connector: Any, job_id: int) -> jobs.Status | None:
    """How a job ended that has left procrastinate's table."""
    rows = await connector.execute_query_all_async(
        "SELECT status FROM youtility_tasks_history WHERE job_id = %(job_id)s AND is_final", job_id=job_id
    )
    return jobs.Status(rows[0]["status"]) if rows else None


async def leave_threads(url: str) -> None:
    """End the connections of threads that were children: upstream drops the database after each test."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s", [IN_THREADS]
        )


class OurWorker:
    """`procrastinate.worker.Worker`, played by one of ours for each queue. Options that ours does not have are ignored."""

    def __init__(
        self,
        app: procrastinate.App,
        queues: Iterable[str] | None = None,
        concurrency: int = 1,
        wait: bool = True,
        shutdown_graceful_timeout: float | None = None,
        fetch_job_polling_interval: float = 5.0,
        **_: Any,
    ) -> None:
        self.app, self.queues, self.wait = app, queues, wait
        self.shape = QueueSettings(processes=1, threads=concurrency, coroutines=concurrency)
        self.settings = {
            **QUICK,
            "shutdown_grace_s": 3_600.0 if shutdown_graceful_timeout is None else shutdown_graceful_timeout,
            "poll_interval_s": fetch_job_polling_interval,
            "queues": {name: {"processes": 1} for name in (*self._names(), "maintenance")},
        }
        self.ours: list[worker.Worker] = []

    def _names(self) -> list[str]:
        if self.queues is not None:
            return list(self.queues)
        return sorted({task.queue for task in self.app.tasks.values()})

    def _find(self, task_name: str) -> Task | None:
        theirs = self.app.tasks.get(task_name)
        return adopted.adopt(theirs) if theirs is not None else None

    async def run(self) -> None:
        url = conninfo_of(self.app)
        connections.databases["default"].update(NAME=conninfo_to_dict(url)["dbname"])
        connections.databases["default"].setdefault("OPTIONS", {})["application_name"] = IN_THREADS
        registry.finders.insert(0, self._find)
        kept, queries.conninfo = queries.conninfo, lambda _: url  # type: ignore[assignment]
        try:
            with override_settings(YOUTILITY_TASKS=self.settings):
                await self._serve()
        finally:
            queries.conninfo = kept
            registry.finders.remove(self._find)
            await leave_threads(url)

    async def _serve(self) -> None:
        for name in self._names():
            bearer = cast(nursery.Matron, ThreadNursery(self.shape.threads))
            self.ours.append(worker.Worker(name, self.shape, bearer, drain=not self.wait, token="", dead=[]))
        running = [asyncio.ensure_future(each.run()) for each in self.ours]
        try:
            await asyncio.shield(asyncio.gather(*running))
        except asyncio.CancelledError:
            self.stop()
            await asyncio.gather(*running)
            raise

    def stop(self) -> None:
        for each in self.ours:
            each.stop()
