"""W5: an attendance photo is compared; when it shows somebody else the control room is told, by MQTT."""

from __future__ import annotations

from task_catalog.high_priority.faces import perform_facerecognition_bgt
from task_catalog.maintenance.mqtt import publish_mqtt, send_mismatch_notification
from youtility_tasks import Run, Workflow

NAME = "photo to control room"


def begin(*, pel_uuid: str, peopleid: int, attachment_uuid: str) -> Run:
    """Compare the photo of a punch, in the caller's transaction."""
    flow = Workflow(NAME)
    looked = flow.step(
        perform_facerecognition_bgt, pel_uuid=pel_uuid, peopleid=peopleid, attachment_uuid=attachment_uuid
    )
    told = flow.step(
        send_mismatch_notification,
        after=looked,
        when=looked.result["is_mismatch"].or_else(False).equals(True),
        mismatch_data=looked.result["mismatch"],
    )
    flow.step(publish_mqtt, after=told, topic=told.result["topic"], payload=told.result["message"])
    return flow.start()
