"""What the keys do: which act, on what, in which words it is asked and told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from youtility_tasks import acts, controls, orders
from youtility_tasks.controls import Control
from youtility_tasks.models import TaskWorker
from youtility_tasks.status import Order


@dataclass(frozen=True, slots=True)
class Deed:
    """An act that waits for its reason."""

    asks: str
    do: Callable[[str], object]
    """Given the reason."""
    told: str
    needs_reason: bool = False


def shut(queue_name: str, paused: Control | None) -> Deed:
    """Pause a queue, or end its pause."""
    if paused is None:
        return Deed(
            f"Pause {queue_name}: no job of it starts until it is resumed. What runs goes on.",
            lambda reason: controls.pause(queue=queue_name, reason=reason),
            f"{queue_name} is paused.",
        )
    because = f" ({paused.reason})" if paused.reason else ""
    return Deed(
        f"Resume {queue_name}, paused by {paused.paused_by}{because}.",
        lambda reason: controls.resume(queue=queue_name, reason=reason),
        f"{queue_name} goes on.",
    )


def retry(job_id: int) -> Deed:
    """New attempts for a dead letter."""
    return Deed(
        f"Retry job {job_id}: a dead letter gets a fresh set of attempts, beginning now. Enter does it.",
        lambda _: acts.retry(job_id),
        f"Job {job_id} waits for a new attempt.",
    )


def cancel(job_id: int) -> Deed:
    """Off the queue, or asked to end."""
    return Deed(
        f"Cancel job {job_id}: off its queue if it waits, asked to end if it runs.",
        lambda reason: acts.cancel(job_id, reason),
        f"Job {job_id} was cancelled, or asked to end.",
    )


def discard(job_id: int) -> Deed:
    """A dead letter, for good."""
    return Deed(
        f"Discard job {job_id}: the dead letter leaves the queue for good; its history stays.",
        lambda reason: acts.discard(job_id, reason),
        f"Job {job_id} was discarded.",
        needs_reason=True,
    )


def quiet(worker: TaskWorker) -> Deed:
    """Claim nothing more, or go on."""
    if worker.told == Order.QUIET:
        return Deed(
            f"Let worker {worker.pk} ({worker.queue_name}) claim again.",
            lambda reason: orders.resume(worker.pk, reason),
            f"Worker {worker.pk} claims again from its next heartbeat on.",
        )
    return Deed(
        f"Let worker {worker.pk} ({worker.queue_name}) claim nothing more; what it runs goes on.",
        lambda reason: orders.quiet(worker.pk, reason),
        f"Worker {worker.pk} claims nothing more from its next heartbeat on.",
    )


def drain(worker: TaskWorker) -> Deed:
    """Leave, for good."""
    return Deed(
        f"Drain worker {worker.pk} ({worker.queue_name}): it ends what it runs, leaves, and nobody takes its place.",
        lambda reason: orders.drain(worker.pk, reason),
        f"Worker {worker.pk} leaves once what it runs has ended.",
        needs_reason=True,
    )
