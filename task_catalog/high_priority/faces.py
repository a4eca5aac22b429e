"""perform_facerecognition_bgt (T04): is the person in the photo the person on the list?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from task_catalog.arguments import task
from task_catalog.punches.asked import NAME, Asked, side_of
from task_catalog.punches.look import look_at
from task_catalog.punches.note import effect_key, for_next_step, note, result_of
from task_catalog.rules import faces as rules
from task_catalog.rules.faces import Outcome, Verdict
from youtility_tasks import NotReady, Retry, TaskContext, current_workflow, effects, queues

if TYPE_CHECKING:
    from task_catalog.facility.models import Attachment


def _lock(arguments: dict[str, Any]) -> str:
    return f"face:{arguments['pel_uuid']}"


@task(
    name=NAME,
    queue_name=queues.HIGH_PRIORITY,
    priority=4,
    retry=Retry(6, base=300, factor=1, cap=300),
    timeout_s=120,
    lock=_lock,
    takes_context=True,
    seed_class="high",
)
def perform_facerecognition_bgt(
    context: TaskContext, *, pel_uuid: str, peopleid: int, db: str = "default", attachment_uuid: str | None = None
) -> dict[str, Any]:
    """Compare an attendance photo with the person's own and note the verdict on the punch (R-FACE).

    `pel_uuid` is the punch, `db` the database alias it is in, `attachment_uuid` the photo; without it the newest one.
    No face, no photo to compare with and a mismatch are outcomes, not failures. An event or a picture that is not there
    yet is waited for; after the last attempt the outcome is `no_picture`. Not `isolated`: what looks at the photos has a
    process of its own, which stays warm as long as the child in which this runs.

    Second attempt: finds that side of the punch checked and returns `duplicate`.
    """
    asked = Asked.of(pel_uuid, peopleid, db, attachment_uuid)
    is_last = context.attempt >= context.max_attempts
    event = asked.event()
    if event is None:
        told = f"{NAME}: client {asked.client_id} has no punch {asked.pel_uuid}"
        if not is_last:
            raise NotReady(f"{told} yet.")
        return result_of(None, Verdict(Outcome.NO_PICTURE), "skipped", [f"{told}; nothing could be noted"])
    asked.check_person(event)
    if event.peventtype is None or event.peventtype.tacode not in rules.ATTENDANCE:
        kind = None if event.peventtype is None else event.peventtype.tacode
        return result_of(None, None, "skipped", [f"the event is of kind {kind!r}, whose photos are not looked at"])
    side = side_of(event)
    if side is None:
        is_punch = event.punchintime or event.punchouttime
        if is_punch:
            return _duplicate(asked, asked.photo(event))
        return result_of(None, None, "skipped", ["nobody has punched"])
    photo = asked.photo(event)
    if photo is not None and any(effects.is_done(effect_key(asked, each, photo)) for each in rules.SIDES):
        return _duplicate(asked, photo)
    look = look_at(context, event, photo, is_last=is_last)
    return note(asked, event, side, photo, look)


def _duplicate(asked: Asked, photo: Attachment | None) -> dict[str, Any]:
    """It was noted before; in a workflow with what its next step asks, which an attempt that died may not have said."""
    result = result_of(None, None, "duplicate", [])
    if current_workflow() is not None:
        for each in rules.SIDES:
            noted = effects.answer(effect_key(asked, each, photo)).get("mismatch")
            result |= for_next_step(noted) if noted else {}
    return result
