"""Who enqueues: every call is announced in the ledger before, and acknowledged after its transaction has ended."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.db import DatabaseError, InterfaceError, OperationalError, connections, transaction
from django.utils import timezone

from youtility_tasks import acts, registry, tenant
from youtility_tasks.errors import Refused

from . import planted
from .entries import Kind
from .ledger import FOLDER, Ledger
from .plan import Planned
from .shapes import SHAPES


class TakenBack(Exception):
    """Rolls a transaction back on purpose."""


class Generator:
    """Enqueues what was planned and tells the ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.stopped = threading.Event()

    def run(self, planned: list[Planned], rate: float) -> None:
        """One after the other at `rate` a second, with jitter of its own."""
        rng = random.Random(len(planned))  # noqa: S311
        for one in planned:
            if self.stopped.is_set():
                return
            self.enqueue(one)
            self.stopped.wait(rng.uniform(0.5, 1.5) / rate)

    def enqueue(self, one: Planned) -> None:
        self.ledger.write(Kind.INTENT, key=one.key, tenant=one.tenant_id)
        call: Callable[[Planned], int] = self._in_one_transaction
        if one.shape == "rolled_back":
            call = self._taken_back
        elif one.shape == "single":
            call = self._twice_at_once
        try:
            job_id = call(one)
        except TakenBack:
            self.ledger.write(Kind.ROLLED_BACK, key=one.key)
            return
        except (InterfaceError, DatabaseError) as error:
            connections.close_all()
            self.ledger.write(Kind.AMBIGUOUS, key=one.key, error=f"{type(error).__name__}: {error}"[:200])
            return
        self.ledger.write(Kind.ACK, key=one.key, job_id=job_id)
        if one.shape == "cancelled":
            self._cancel(one, job_id)

    def _in_one_transaction(self, one: Planned) -> int:
        with transaction.atomic():
            return self._call(one)

    def _taken_back(self, one: Planned) -> int:
        with transaction.atomic():
            job_id = self._call(one)
            if planted.is_planted(planted.ACK_BEFORE_COMMIT):
                self.ledger.write(Kind.ACK, key=one.key, job_id=job_id)
            raise TakenBack

    def _twice_at_once(self, one: Planned) -> int:
        found: list[int] = []
        failed: list[BaseException] = []
        barrier = threading.Barrier(2)

        def call() -> None:
            try:
                barrier.wait(10)
                found.append(self._in_one_transaction(one))
            except BaseException as error:
                failed.append(error)
            finally:
                connections.close_all()

        threads = [threading.Thread(target=call) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failed:
            raise failed[0]
        if len(set(found)) > 1:
            for job_id in found:
                self.ledger.write(Kind.ACK, key=one.key, job_id=job_id)
        return found[0]

    def _call(self, one: Planned) -> int:
        args: dict[str, Any] = {"key": one.key}
        if one.lock or one.shape == "meets_twin":
            args["lock"] = one.lock or one.key
        if one.filling:
            args["filling"] = "x" * one.filling
        if one.shape == "crashes":
            args["fuse"] = str(Path(os.environ[FOLDER]) / f"fuse-{one.key}")
        run_after = timezone.now() + timedelta(seconds=one.delay_s) if one.delay_s else None
        unique = one.key if one.shape == "single" and not planted.is_planted(planted.READ_THEN_INSERT) else None
        task = registry.get(SHAPES[one.shape].task_name).using(
            priority=one.priority, run_after=run_after, unique=unique
        )
        with tenant(one.tenant_id):
            return int(task.enqueue(**args).id)

    def _cancel(self, one: Planned, job_id: int) -> None:
        time.sleep(0.05)
        try:
            becomes = str(acts.cancel(job_id, "the run cancels it").becomes)
        except Refused:
            becomes = "refused"
        except (OperationalError, InterfaceError):
            connections.close_all()
            becomes = "unknown"
        self.ledger.write(Kind.CANCEL, key=one.key, job_id=job_id, becomes=becomes)
