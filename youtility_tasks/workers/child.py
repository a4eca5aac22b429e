"""The process that runs user code: takes assignments from its socket, reports each ending, dies with its worker."""

from __future__ import annotations

import asyncio
import select
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from asgiref.sync import sync_to_async
from django.db import connections

from youtility_tasks.errors import AbortRequested, SoftTimeLimit

from . import run, wire

_LOOK_AT_CLOCKS_S = 0.25
_ABORT_PATIENCE_S = 1.0


def main(sock: socket.socket, threads: int) -> None:
    """Serve until the worker says stop or is gone."""
    _keep_connections()
    _Child(sock, threads).serve()


def _keep_connections() -> None:
    # Django closes a connection after each request; for a child that would mean a new one for every job (9 ms of CPU
    # against 2.5). A broken one is found and dropped between jobs.
    for alias in connections:
        connections.settings[alias]["CONN_MAX_AGE"] = None
        connections.settings[alias]["CONN_HEALTH_CHECKS"] = True


def _drop_broken_connections() -> None:
    for connection in connections.all(initialized_only=True):
        connection.close_if_unusable_or_obsolete()


class _Child:
    def __init__(self, sock: socket.socket, threads: int) -> None:
        self.sock = sock
        self.pool = ThreadPoolExecutor(threads, thread_name_prefix="task")
        self.runs: dict[int, run.Run] = {}
        self.aborted_at: dict[int, float] = {}
        self.sending = threading.Lock()
        self.loop: asyncio.AbstractEventLoop | None = None

    def serve(self) -> None:
        inbox = wire.Inbox()
        while True:
            ready, _, _ = select.select([self.sock], [], [], _LOOK_AT_CLOCKS_S if self.runs else None)
            if ready:
                messages = wire.receive(self.sock, inbox)
                if messages is None:
                    return
                for message in messages:
                    if "stop" in message:
                        return
                    self.take(message)
            self.look_at_clocks()

    def take(self, message: dict[str, Any]) -> None:
        for told in message.get("run", ()):
            started = run.begin(run.Assignment(**told))
            self.runs[started.assignment.job_id] = started
            if run.is_async(started):
                asyncio.run_coroutine_threadsafe(self.run_async(started), self.event_loop())
            else:
                self.pool.submit(self.run_sync, started)
        for job_id in message.get("abort", ()):
            found = self.runs.get(job_id)
            if found is not None and job_id not in self.aborted_at:
                self.aborted_at[job_id] = time.monotonic()
                found.abort.set()
                if run.is_async(found):
                    found.interrupt(AbortRequested)

    def look_at_clocks(self) -> None:
        now = time.monotonic()
        for job_id, current in list(self.runs.items()):
            deadline = current.soft_deadline
            if deadline is not None and now >= deadline:
                current.interrupt(SoftTimeLimit)
            # A sync task may ask `context.should_abort()` and end well; if it does not, it is interrupted.
            if now >= self.aborted_at.get(job_id, now) + _ABORT_PATIENCE_S:
                current.interrupt(AbortRequested)

    def run_sync(self, current: run.Run) -> None:
        _drop_broken_connections()
        ending = run.run_sync(current)
        for connection in connections.all(initialized_only=True):
            if connection.in_atomic_block or connection.errors_occurred:
                connection.close()
        self.report(current, ending)

    async def run_async(self, current: run.Run) -> None:
        # The async ORM works in a thread of asgiref's, where all async tasks share the connections.
        await sync_to_async(_drop_broken_connections)()
        self.report(current, await run.run_async(current))

    def report(self, current: run.Run, ending: dict[str, Any]) -> None:
        del self.runs[current.assignment.job_id]
        self.aborted_at.pop(current.assignment.job_id, None)
        with self.sending:
            self.sock.sendall(wire.pack({"ended": ending}))

    def event_loop(self) -> asyncio.AbstractEventLoop:
        """The loop of the async tasks, in a thread of its own from the first of them on."""
        if self.loop is None:
            self.loop = asyncio.new_event_loop()
            threading.Thread(target=self.loop.run_forever, name="loop", daemon=True).start()
        return self.loop
