"""A worker's standing in the database: it registers, says again and again what it holds, and lets go of what is no longer its own."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import time
from collections.abc import Callable, Iterable
from typing import Any

from youtility_tasks.conf import settings
from youtility_tasks.status import Order, WorkerStatus

from . import processes
from .children import Children
from .holdings import Holdings
from .link import Link, LinkDown
from .pulse import Pulse

logger = logging.getLogger(__name__)


class Lease:
    """What others go by: while it is renewed the worker's jobs are its own, and `lease_s` later anybody may rescue them."""

    def __init__(
        self,
        queue_name: str,
        slots: int,
        link: Link,
        children: Children,
        holdings: Holdings,
        *,
        token: str,
        dead: list[str],
        look_again: Callable[[], None],
        obey: Callable[[Order], None],
        pulse: Pulse | None = None,
    ) -> None:
        self.queue_name, self.slots = queue_name, slots
        self.token, self.dead = token, dead
        """What stands for this process in the database, and for those before it that its supervisor saw die."""
        self.host, self.supervisor_pid = socket.gethostname(), os.getppid()
        self._link, self._children, self._holdings = link, children, holdings
        self._look_again, self._obey, self._pulse = look_again, obey, pulse or Pulse()
        self.worker_id: int | None = None
        self.renewed_at = time.monotonic()
        """When the last renewal that was answered was sent: the database's clock for the lease began after that."""

    async def begin(self, is_wanted: Callable[[], bool]) -> bool:
        """Register, however long the database takes to answer; False when it is not wanted any more before that."""
        while is_wanted():
            try:
                async with self._link.turn:
                    await self._register()
                return True
            except LinkDown as error:
                logger.warning("queue out of reach error=%s", error)
            self._pulse.beat()
            await self._link.pause()
        return False

    async def keep(self, status: Callable[[], WorkerStatus]) -> None:
        """Renew it every `heartbeat_interval_s`, for ever; stop all that runs here once it has run out."""
        began_at = time.monotonic()
        while True:
            await asyncio.sleep(max(0.0, began_at + settings().heartbeat_interval_s - time.monotonic()))
            began_at = time.monotonic()
            try:
                async with self._link.turn.ahead:
                    await self._renew(status())
            except LinkDown as error:
                logger.warning("lease not renewed worker=%s error=%s", self.worker_id, error)
            self._pulse.beat()
            self.look_at_clock()

    def look_at_clock(self) -> None:
        """Stop all that runs here if the lease is over, whatever answer is waited for.

        What has ended is still sent: where nobody has rescued the job yet, it need not run again.
        """
        if self.is_over() and (stopped := self._holdings.drop_running()):
            logger.warning(
                "worker stops all that runs worker=%s jobs=%s because=lease ran out", self.worker_id, stopped
            )
            self._children.forget_all()
            self._look_again()

    async def end(self) -> None:
        """Leave: nobody has to wait for the lease then. Raises LinkDown."""
        async with self._link.turn:
            await self._link.ask("unregister_worker", worker_id=self.worker_id)

    def is_over(self) -> bool:
        """Whether it has not been renewed for so long that others may have taken what the worker holds."""
        return time.monotonic() - self.renewed_at > settings().lease_s

    def lose(self, job_id: int) -> None:
        """Stop a job that is no longer ours, and forget what it has come to."""
        logger.warning("job is no longer ours id=%s worker=%s", job_id, self.worker_id)
        self._children.drop(job_id)
        self._holdings.drop(job_id)

    async def count_stale(self) -> None:
        """Enter how many endings were refused. The caller holds the link's turn. Raises LinkDown."""
        stale = self._holdings.stale
        if stale:
            await self._link.ask("count_event", name="stale_writes_rejected_total", label="", n=stale)
            self._holdings.stale -= stale  # not to zero: more may have been refused while this one was entered

    def tell_rescued(self, rows: Iterable[tuple[Any, ...]]) -> None:
        """Log what was taken from silent workers; it may be for this one to claim."""
        for silent, job_id, task_name, verdict in rows:
            logger.warning("job %s id=%s task=%s worker=%s", verdict, job_id, task_name, silent)
            self._look_again()

    async def _register(self) -> None:
        rows = await self._link.ask(
            "register_worker",
            host=self.host,
            pid=os.getpid(),
            supervisor_pid=self.supervisor_pid,
            queue_name=self.queue_name,
            slots=self.slots,
            token=self.token,
            dead=self.dead,
            lease_s=settings().lease_s,
            max_rescues=settings().max_rescues,
        )
        self.worker_id = rows[0][0]
        self._pulse.note_registration()
        self._note_renewal()
        self.tell_rescued(row[1:] for row in rows[1:])

    def _note_renewal(self) -> None:
        if self.is_over():
            self._look_again()
        self.renewed_at = self._link.sent_at
        self._children.extend_lease(self.renewed_at + settings().lease_s)

    async def _renew(self, status: WorkerStatus) -> None:
        """Say which jobs this process really holds, and act on what the database answers."""
        self._link.hear_now()  # after a standstill it may hold one more, which was handed over meanwhile
        rows = await self._link.ask(
            "renew",
            worker_id=self.worker_id,
            held=json.dumps(self._holdings.claims()),
            status=status,
            children=json.dumps(self._children.snapshot()),
            memory_bytes=processes.resident_bytes(os.getpid()),
        )
        self._note_renewal()
        told = Order.NONE
        for kind, job_id in rows:
            if kind == "unregistered":
                self._lose_everything()
                before = self.worker_id
                await self._register()
                await self._link.ask("carry_order", worker_id=self.worker_id, before=before)
            elif kind in (Order.QUIET, Order.DRAIN):
                told = Order(kind)
            elif kind == "returned":
                logger.warning("job given back, its claim had been lost id=%s worker=%s", job_id, self.worker_id)
                if job_id in self._holdings.jobs:  # it was heard of while the database answered
                    self.lose(job_id)
                self._look_again()
            elif kind == "lost":
                self.lose(job_id)
            else:
                self._children.abort(job_id)
        if any(kind == "returned" for kind, _ in rows):
            self._link.distrust()  # before anything more is heard on it: those jobs may be somebody else's by then
        self._obey(told)
        await self.count_stale()

    def _lose_everything(self) -> None:
        if self._holdings.jobs:
            logger.warning(
                "worker lets go of everything worker=%s jobs=%s because=it was rescued by another worker",
                self.worker_id,
                len(self._holdings.jobs),
            )
        self._children.forget_all()
        self._holdings.drop_all()
        self._look_again()
