"""Once a minute how a worker does, and at the next heartbeat why children of it were replaced: one statement, beside its lease."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import logging
import os
import platform
import time
from collections.abc import Callable
from importlib import metadata
from typing import Any

import psycopg

from youtility_tasks.conf import settings

from . import processes
from .children import Children
from .link import Link, LinkDown
from .nursery import Matron

SAMPLE_EVERY_S = 60.0
_LOOKS = 2
"""Before the first one: what children use is known from the first renewal on."""

logger = logging.getLogger(__name__)


@functools.cache
def _about() -> dict[str, str]:
    # Not while a worker starts: this looks through all that is installed.
    return {"version": metadata.version("youtility-tasks"), "python": platform.python_version()}


class Beats:
    """Tells the database what pages show of this worker. Nothing depends on it: what cannot be told now is told later."""

    def __init__(self, link: Link, children: Children, matron: Matron, worker_id: Callable[[], int | None]) -> None:
        self._link, self._children, self._matron, self._worker_id = link, children, matron, worker_id
        self._told_id: int | None = None
        self._told_count = 0
        self._sample_at = 0.0
        """Monotonic seconds of the next sample."""
        self._memory_bytes = self._children_bytes = self._most_running = 0
        self._looks: list[int] = []
        """How many jobs the children held, at each look since the last sample."""
        self._cpu_at, self._cpu_s = time.monotonic(), 0.0

    async def keep(self) -> None:
        """Look each heartbeat, for ever, and tell what there is to tell."""
        while True:
            await asyncio.sleep(settings().heartbeat_interval_s)
            self.look()
            try:
                await self.tell()
            except LinkDown:
                continue  # whoever renews and claims says so
            except psycopg.Error as error:
                logger.warning("heartbeat not kept worker=%s error=%s", self._worker_id(), type(error).__name__)
                self._sample_at = time.monotonic() + SAMPLE_EVERY_S

    def look(self) -> None:
        """Remember the most of what there is now."""
        running = self._children.running()
        self._looks.append(running)
        self._most_running = max(self._most_running, running)
        self._memory_bytes = max(self._memory_bytes, processes.resident_bytes(os.getpid()))
        self._children_bytes = max(self._children_bytes, self._children.memory_bytes)

    async def tell(self) -> None:
        """A sample if a minute has passed, and what is new of the children; nothing else costs a round trip. Raises LinkDown."""
        worker_id, count = self._worker_id(), self._children.replaced.count
        is_new = worker_id != self._told_id or count != self._told_count
        is_due = time.monotonic() >= self._sample_at and len(self._looks) >= _LOOKS
        if worker_id is None or not (is_new or is_due):
            return
        about = {**_about(), **self._children.replaced.as_row()} if is_new else None
        cpu_at, cpu_s = time.monotonic(), self._spent_s() if is_due else 0.0
        sample = self._sample(cpu_at, cpu_s) if is_due else None
        async with self._link.turn:
            await self._link.ask(
                "beat",
                worker_id=worker_id,
                sample=json.dumps(sample) if sample is not None else None,
                about=json.dumps(about) if about is not None else None,
            )
        self._told_id, self._told_count = worker_id, count
        if is_due:
            self._sample_at = cpu_at + SAMPLE_EVERY_S
            self._cpu_at, self._cpu_s = cpu_at, cpu_s
            self._memory_bytes = self._children_bytes = self._most_running = 0
            self._looks.clear()

    def _sample(self, cpu_at: float, cpu_s: float) -> dict[str, Any]:
        return {
            "memory_bytes": self._memory_bytes,
            "children_bytes": self._children_bytes,
            "child_count": len(self._children.members),
            "running_mean": sum(self._looks) / len(self._looks) if self._looks else 0.0,
            "running_most": self._most_running,
            "cpu": max(0.0, cpu_s - self._cpu_s) / max(0.001, cpu_at - self._cpu_at),
        }

    def _spent_s(self) -> float:
        """Processor time of the worker and of all that it has forked; what has died counts where it was reaped."""
        spent = processes.own_cpu_s(os.getpid())
        for pid in self._children.pids() | {self._matron.pid}:
            with contextlib.suppress(processes.Gone):
                spent += processes.cpu_s(pid)
        return spent
