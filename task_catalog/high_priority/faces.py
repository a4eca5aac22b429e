"""Is the person in the photo the person on the list?"""

from __future__ import annotations

from typing import Any

from task_catalog.not_yet_built import NotYetBuiltGuard
from youtility_tasks import NotYetBuilt, Retry, queues, task


def _lock(arguments: dict[str, Any]) -> str:
    return f"face:{arguments['pel_uuid']}"


@task(
    name="perform_facerecognition_bgt",
    queue_name=queues.HIGH_PRIORITY,
    priority=4,
    retry=Retry(6, base=300, factor=1, cap=300),
    timeout_s=120,
    lock=_lock,
    isolated=True,
    seed_class="high",
    guard=NotYetBuiltGuard("perform_facerecognition_bgt"),
)
def perform_facerecognition_bgt(
    *, pel_uuid: str, peopleid: int, db: str = "default", attachment_uuid: str | None = None
) -> dict[str, Any]:
    """Compare an attendance photo with the person's own and note the verdict on the punch (R-FACE).

    `pel_uuid` is the punch, `db` the database alias it is in, `attachment_uuid` the photo; without it the newest one.
    No face, no photo to compare with and a mismatch are outcomes, not failures.

    Second attempt: finds that side of the punch checked and returns `duplicate`.
    """
    raise NotYetBuilt("perform_facerecognition_bgt")
