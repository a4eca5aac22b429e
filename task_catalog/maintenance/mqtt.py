"""publish_mqtt (T28) and send_mismatch_notification (T32): messages to the control room's broker."""

from __future__ import annotations

import math
import uuid
from datetime import datetime
from typing import Any

from django.db import transaction

from task_catalog import entities
from task_catalog.arguments import task
from task_catalog.conf import catalog
from task_catalog.keys import digest_json
from task_catalog.ports import mqtt
from task_catalog.rules import noc
from youtility_tasks import BadInput, Retry, TaskContext, current_tenant, current_workflow, effects, queues


@task(
    name="publish_mqtt",
    queue_name=queues.MAINTENANCE,
    priority=5,
    retry=Retry(12, base=30, factor=2, cap=600),
    timeout_s=30,
    takes_context=True,
    seed_class="low",
)
def publish_mqtt(context: TaskContext, *, topic: str, payload: str) -> dict[str, Any]:
    """Publish one message, QoS 1, and wait for the broker's acknowledgement; `payload` is the text of a JSON object (R-MQ).

    `message_id` (the effect key) and `client_id` are added to the object. Twelve attempts outlast an hour without a
    broker.

    Second attempt: the same `message_id`, so that a receiver can drop a double.
    """
    try:
        noc.check_topic(topic)
        message = noc.check_payload(payload)
    except noc.Unfit as error:
        raise BadInput(f"publish_mqtt: {error}") from error
    client_id = current_tenant()
    if message.get("client_id", client_id) != client_id:
        raise BadInput(
            f"publish_mqtt: the payload is of client {message['client_id']!r}, the job of client {client_id}. Enqueue it "
            "as the client whose rows it tells of, or leave client_id out: it is added."
        )
    key = f"mqtt:{digest_json([topic, payload, context.job_id])}"
    body = noc.text({**message, "message_id": key, "client_id": client_id}).encode()
    numbers: list[int] = []
    sent = effects.perform(key, lambda _: numbers.append(mqtt.publish(topic, body)))
    return {
        "status": "ok" if sent else "duplicate",
        "warnings": [],
        "topic": topic,
        "bytes": len(body),
        "mid": numbers[0] if numbers else None,
    }


_FACTS = ("pel_uuid", "people_id", "client_id", "bu_id", "side", "distance", "threshold", "at")


@task(
    name="send_mismatch_notification",
    queue_name=queues.MAINTENANCE,
    priority=6,
    retry=Retry(6, base=60, factor=2, cap=900),
    timeout_s=30,
    seed_class="low",
)
def send_mismatch_notification(*, mismatch_data: dict[str, Any]) -> dict[str, Any]:
    """Tell the control room that a punch's photo shows somebody else: the person's id and code, no photo.

    `mismatch_data` holds pel_uuid, people_id, client_id, bu_id, side, distance, threshold and at.

    Second attempt: same effect key (punch, side), so one message is queued.
    """
    facts = _checked(mismatch_data)
    client_id = current_tenant()
    event = (
        entities.Attendance.objects.filter(uuid=facts["pel_uuid"], client_id=client_id)
        .values("people_id", "bu_id", "people__peoplecode")
        .first()
    )
    if event is None:
        raise BadInput(
            f"send_mismatch_notification: client {client_id} has no punch {facts['pel_uuid']!r}. Was it deleted, or is it "
            "another client's?"
        )
    told = {"people_id": event["people_id"], "bu_id": event["bu_id"], "client_id": client_id}
    for name, value in told.items():
        if facts[name] != value:
            raise BadInput(
                f"send_mismatch_notification: {name} is {facts[name]!r}, and the punch {facts['pel_uuid']} has {value!r}."
            )
    message = {
        "operation": "MISMATCH",
        "app": "Attendance",
        "models": "PeopleEventlog",
        "payload": {**facts, "peoplecode": event["people__peoplecode"]},
    }
    key = f"mismatch:{facts['pel_uuid']}:{facts['side']}"
    if current_workflow() is not None:  # its next step publishes, and whoever says it again says the same
        is_new = effects.once(key, bu_id=event["bu_id"])
        said = {"topic": catalog().noc_topic, "message": noc.text(message)}
        return {"status": "ok" if is_new else "duplicate", "warnings": [], "queued_job_id": None, **said}
    with transaction.atomic():
        if not effects.once(key, bu_id=event["bu_id"]):
            return {"status": "duplicate", "warnings": [], "queued_job_id": None}
        queued = publish_mqtt.enqueue(topic=catalog().noc_topic, payload=noc.text(message))
    return {"status": "ok", "warnings": [], "queued_job_id": int(queued.id)}


def _checked(given: object) -> dict[str, Any]:
    """The facts of a mismatch and nothing else. Raises BadInput naming the one that is missing or cannot be meant."""
    if not isinstance(given, dict):
        raise BadInput(f"send_mismatch_notification: mismatch_data is {given!r:.80}; right is an object.")
    for name in _FACTS:
        if name not in given:
            raise BadInput(f"send_mismatch_notification: mismatch_data has no {name!r}; it holds {', '.join(_FACTS)}.")
    facts = {name: given[name] for name in _FACTS}
    try:
        facts["pel_uuid"] = str(uuid.UUID(facts["pel_uuid"]))
    except (ValueError, AttributeError, TypeError) as error:
        raise BadInput(
            f"send_mismatch_notification: pel_uuid is {facts['pel_uuid']!r}; right is the punch's uuid as text."
        ) from error
    if facts["side"] not in ("in", "out"):
        raise BadInput(f"send_mismatch_notification: side is {facts['side']!r}; right is 'in' or 'out'.")
    for name in ("distance", "threshold"):
        value = facts[name]
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise BadInput(f"send_mismatch_notification: {name} is {value!r}; right is a number.")
    if not isinstance(facts["at"], str) or not _is_instant(facts["at"]):
        raise BadInput(f"send_mismatch_notification: at is {facts['at']!r:.80}; right is an instant as ISO text.")
    return facts


def _is_instant(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True
