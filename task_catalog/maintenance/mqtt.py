"""Messages to the control room's broker."""

from __future__ import annotations

from typing import Any

from task_catalog.not_yet_built import NotYetBuiltGuard
from youtility_tasks import NotYetBuilt, Retry, queues, task


@task(
    name="publish_mqtt",
    queue_name=queues.MAINTENANCE,
    priority=5,
    retry=Retry(12, base=30, factor=2, cap=600),
    timeout_s=30,
    seed_class="low",
    guard=NotYetBuiltGuard("publish_mqtt"),
)
def publish_mqtt(*, topic: str, payload: str) -> dict[str, Any]:
    """Publish one message, QoS 1, and wait for the broker's acknowledgement; `payload` is JSON text (R-MQ).

    Twelve attempts outlast an hour without a broker.

    Second attempt: the same message id, so that a receiver can drop a double.
    """
    raise NotYetBuilt("publish_mqtt")


@task(
    name="send_mismatch_notification",
    queue_name=queues.MAINTENANCE,
    priority=6,
    retry=Retry(6, base=60, factor=2, cap=900),
    timeout_s=30,
    seed_class="low",
    guard=NotYetBuiltGuard("send_mismatch_notification"),
)
def send_mismatch_notification(*, mismatch_data: dict[str, Any]) -> dict[str, Any]:
    """Tell the control room that a punch's photo shows somebody else: the person's id and code, no photo.

    `mismatch_data` holds pel_uuid, people_id, client_id, bu_id, side, distance, threshold and at.

    Second attempt: same effect key (punch, side), so one message is queued.
    """
    raise NotYetBuilt("send_mismatch_notification")
