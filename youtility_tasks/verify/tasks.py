"""The tasks of a run, one a shape. Each returns its key, so that a result can be told from another's."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import threading
import time
from datetime import timedelta
from typing import Any

from asgiref.sync import sync_to_async
from django.db import connection, transaction
from django.utils import timezone

from youtility_tasks import Retry, TaskContext, Transient, effects, task

from . import planted
from .entries import Kind
from .settings import QUEUES
from .shapes import PREFIX, SHAPES
from .witness import Witness, ledger, witnessed

TIMEOUT_S = float(os.environ.get("YOUTILITY_VERIFY_TIMEOUT_S", "20"))
LONGER_S = float(os.environ.get("YOUTILITY_VERIFY_LONGER_S", "0.4"))
DYING_S = 1.0
"""From telling of its death to dying: a neighbour may begin in the child meanwhile, and that fault is what ends it too."""
HOG_US = 2_500_000
"""Microseconds; the quick lease is 1.5 s."""
PATIENT_S = 6.0
"""The quick lease, and what a worker has left of it to end its children, are over before."""

FAST, SLOW = QUEUES


def _options(shape: str, queue_name: str, **more: Any) -> dict[str, Any]:
    options: dict[str, Any] = {
        "name": PREFIX + shape,
        "queue_name": queue_name,
        "retry": Retry(SHAPES[shape].max_attempts, base=1, factor=2, cap=10),  # outlasts a database that is down
        "timeout_s": TIMEOUT_S,
        "takes_context": True,
    }
    return {**options, **more}


@task(**_options("instant", FAST))
def instant(context: TaskContext, *, key: str) -> str:
    with witnessed(context, key) as witness:
        witness.effect()
    return key


@task(**_options("brief", FAST))
def brief(context: TaskContext, *, key: str) -> str:
    with witnessed(context, key) as witness:
        time.sleep(0.005)
        witness.effect()
    return key


@task(**_options("longer", SLOW))
def longer(context: TaskContext, *, key: str) -> str:
    """Its effect comes early: whatever ends it afterwards makes the effect happen again."""
    with witnessed(context, key) as witness:
        witness.effect()
        time.sleep(LONGER_S)
    return key


@task(**_options("asynchronous", FAST))
async def asynchronous(context: TaskContext, *, key: str) -> str:
    witness = await sync_to_async(Witness)(context, key)
    await asyncio.sleep(0.02)
    await sync_to_async(witness.effect)()
    await sync_to_async(witness.end)("ok")
    return key


@task(**_options("retried", SLOW))
def retried(context: TaskContext, *, key: str) -> str:
    with witnessed(context, key) as witness:
        if context.attempt < 2:
            raise Transient("the first attempt always fails")
        witness.effect()
    return key


@task(**_options("always_fails", SLOW))
def always_fails(context: TaskContext, *, key: str) -> str:
    with witnessed(context, key):
        raise RuntimeError("it always fails")


@task(**_options("locked", FAST, lock=lambda args: args["lock"]))
def locked(context: TaskContext, *, key: str, lock: str) -> str:
    with witnessed(context, key, lock=f"{context.tenant_id}:{lock}") as witness:
        witness.effect()
        time.sleep(0.02)
    return key


@task(**_options("scheduled", FAST))
def scheduled(context: TaskContext, *, key: str) -> str:
    with witnessed(context, key) as witness:
        witness.effect()
    return key


@task(**_options("cancelled", SLOW))
def cancelled(context: TaskContext, *, key: str) -> str:
    with witnessed(context, key) as witness:
        give_up = time.monotonic() + LONGER_S
        while time.monotonic() < give_up and not context.should_abort():
            time.sleep(0.01)
        witness.effect()
    return key


@task(**_options("big", SLOW))
def big(context: TaskContext, *, key: str, filling: str) -> str:
    with witnessed(context, key, size=len(filling)) as witness:
        witness.effect()
    return key


@task(**_options("parent", SLOW))
def parent(context: TaskContext, *, key: str) -> str:
    """Enqueues a child in the transaction that says so: it exists once, however often this runs."""
    with witnessed(context, key) as witness:
        name = f"{key}/child-1"
        ledger().write(Kind.INTENT, key=name, tenant=context.tenant_id)
        job_id = None
        with transaction.atomic():
            if effects.once(name):
                job_id = int(child.enqueue(key=name).id)
        ledger().write(Kind.ACK, key=name, job_id=job_id)
        witness.effect()
    return key


@task(**_options("child", FAST))
def child(context: TaskContext, *, key: str) -> str:
    with witnessed(context, key) as witness:
        witness.effect()
    return key


@task(**_options("meets_twin", SLOW, queueing_lock=lambda args: args["lock"]))
def meets_twin(context: TaskContext, *, key: str, lock: str) -> str:
    """Its first attempt fails, and another waits by then under the queueing lock with which it would wait again."""
    with witnessed(context, key) as witness:
        if context.attempt < 2:
            _enqueue_twin(context, f"{key}/twin-1", lock)
            raise Transient("the first attempt always fails")
        witness.effect()
    return key


def _enqueue_twin(context: TaskContext, name: str, lock: str) -> None:
    ledger().write(Kind.INTENT, key=name, tenant=context.tenant_id)
    with transaction.atomic():
        if not effects.once(name):
            return
        job_id = int(twin.using(run_after=timezone.now() + timedelta(seconds=1)).enqueue(key=name, lock=lock).id)
        if job_id == context.job_id:
            raise Transient("this attempt is stale: its job waits already, and is its own twin")
    ledger().write(Kind.ACK, key=name, job_id=job_id)


@task(**_options("twin", FAST, queueing_lock=lambda args: args["lock"]))
def twin(context: TaskContext, *, key: str, lock: str) -> str:
    with witnessed(context, key) as witness:
        witness.effect()
    return key


@task(**_options("once", SLOW))
def once(context: TaskContext, *, key: str) -> str:
    """A row that must be there once."""
    with witnessed(context, key) as witness:
        if planted.is_planted(planted.EFFECT_OUTSIDE):
            return _once_with_a_bug(context, key, witness)
        with transaction.atomic():
            if effects.once(key):
                _insert_effect(key, context.job_id)
                time.sleep(0.01)
        witness.effect()
    return key


@task(**_options("mailed", FAST))
def mailed(context: TaskContext, *, key: str) -> str:
    """An effect outside the database, reserved and marked."""
    with witnessed(context, key) as witness:
        effects.perform(key, lambda _: witness.effect())
    return key


@task(**_options("crashes", SLOW))
def crashes(context: TaskContext, *, key: str, fuse: str) -> str:
    """Kills its process the first time; the file says that there was a first time."""
    with witnessed(context, key) as witness:
        if _burn(fuse):
            witness.fault("crashes by itself", time.monotonic_ns(), lasts_s=DYING_S)
            os.kill(os.getpid(), signal.SIGKILL)
        witness.effect()
    return key


@task(**_options("poison", SLOW))
def poison(context: TaskContext, *, key: str) -> str:
    with witnessed(context, key) as witness:
        witness.fault("poison", time.monotonic_ns(), lasts_s=DYING_S)
        os._exit(3)


@task(**_options("hog", SLOW, isolated=True))
def hog(context: TaskContext, *, key: str) -> str:
    """Holds the interpreter for longer than a quick run's lease: nobody may take its job away for that."""
    with witnessed(context, key) as witness:
        witness.effect()
        ctypes.PyDLL(None).usleep(HOG_US)
    return key


@task(**_options("blocked", SLOW, timeout_s=1.0))
def blocked(context: TaskContext, *, key: str) -> str:
    """Waits in C, where no exception reaches it, until its process is killed."""
    with witnessed(context, key) as witness:
        witness.fault("blocked until it is killed", time.monotonic_ns(), lasts_s=TIMEOUT_S)
        threading.Event().wait()
    return key


@task(**_options("single", FAST))
def single(context: TaskContext, *, key: str) -> str:
    with witnessed(context, key) as witness:
        witness.effect()
    return key


@task(**_options("patient", SLOW))
def patient(context: TaskContext, *, key: str) -> str:
    """Where its host is cut off it is ended with the lease, and runs elsewhere."""
    with witnessed(context, key) as witness:
        time.sleep(PATIENT_S)
        witness.effect()
    return key


@task(**_options("rolled_back", FAST))
def rolled_back(context: TaskContext, *, key: str) -> str:
    with witnessed(context, key) as witness:
        witness.effect()
    return key


def _insert_effect(key: str, job_id: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO verify_effect (key, job_id) VALUES (%s, %s)", [key, job_id])


def _once_with_a_bug(context: TaskContext, key: str, witness: Witness) -> str:
    _insert_effect(key, context.job_id)
    if _burn(str(ledger().folder / f"fuse-{key}")):
        witness.fault("killed between an effect and its mark", time.monotonic_ns())
        os.kill(os.getpid(), signal.SIGKILL)
    effects.once(key)
    return key


def _burn(fuse: str) -> bool:
    """True for the first process that asks."""
    try:
        os.close(os.open(fuse, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        return False
    return True
